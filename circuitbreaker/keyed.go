package circuitbreaker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/keyed"
)

// DefaultMaxKeys is how many keys a [Keyed] holds unless told otherwise.
const DefaultMaxKeys = 10_000

// forgotten is how long a closed breaker must be unused to be dropped: its counts are then
// outdated.
const forgotten = 10 * time.Minute

// Keyed is a breaker for each key: a host, a tenant, a shard. A breaker is made when its key is
// first used. It is dropped when it is closed and has been unused for ten minutes. If there are
// too many keys, either of the two is enough, as long as none of its calls is in progress. It
// has no goroutine.
type Keyed[K comparable] struct {
	breakers *keyed.Map[K, *keyedBreaker]
}

// keyedBreaker is a breaker with the time of its last use.
type keyedBreaker struct {
	*Breaker
	used atomic.Int64 // an instant of the clock
}

// NewKeyed returns a Keyed whose breakers have the policy, for at most maxKeys keys at a time;
// 0 is [DefaultMaxKeys]. The callbacks of the policy are called for all keys, without saying
// for which.
func NewKeyed[K comparable](p Policy, maxKeys int) (*Keyed[K], error) {
	if maxKeys < 0 {
		return nil, bad("maxKeys", maxKeys, "at least 1, or 0 for the default")
	}
	if maxKeys == 0 {
		maxKeys = DefaultMaxKeys
	}
	if _, err := p.validate(); err != nil {
		return nil, err
	}
	create := func(K) *keyedBreaker {
		b := MustNew(p) // valid, as just seen
		b.keyed = true
		return &keyedBreaker{Breaker: b}
	}
	closed := func(b *keyedBreaker) bool { return b.term.Load().state == Closed && !b.term.Load().bypassed }
	old := func(b *keyedBreaker) bool { return clock.Now()-time.Duration(b.used.Load()) > forgotten }
	idle := func(b *keyedBreaker) bool { return closed(b) && old(b) }
	spare := func(b *keyedBreaker) bool { return closed(b) || old(b) }
	return &Keyed[K]{keyed.New[K](maxKeys, create, idle, spare)}, nil
}

// MustNewKeyed is [NewKeyed] for settings that are known to be valid; it panics if not.
func MustNewKeyed[K comparable](p Policy, maxKeys int) *Keyed[K] {
	k, err := NewKeyed[K](p, maxKeys)
	if err != nil {
		panic(err)
	}
	return k
}

// Use calls f with the breaker of the key. f must not keep the breaker, since it may be dropped
// when f has returned. If there are too many keys in use or open, it returns a
// [*TooManyKeysError].
func (k *Keyed[K]) Use(key K, f func(*Breaker) error) error {
	e, err := k.use(key)
	if err != nil {
		return err
	}
	defer k.done(e)
	return f(e.Value.Breaker)
}

// use returns the entry of the key, for done.
func (k *Keyed[K]) use(key K) (*keyed.Entry[K, *keyedBreaker], error) {
	if key != key { // a NaN: it could never be found again
		return nil, bad("key", key, "equal to itself")
	}
	if e := k.breakers.Use(key); e != nil {
		return e, nil
	}
	return nil, &TooManyKeysError{Keys: k.breakers.Len()}
}

func (k *Keyed[K]) done(e *keyed.Entry[K, *keyedBreaker]) {
	e.Value.used.Store(int64(clock.Now()))
	k.breakers.Done(e)
}

// Do is [Breaker.Do] for a key.
func (k *Keyed[K]) Do(ctx context.Context, key K, call func(context.Context) error) error {
	e, err := k.use(key)
	if err != nil {
		return err
	}
	defer k.done(e)
	return e.Value.Do(ctx, call)
}

// State is [Breaker.State] for a key.
func (k *Keyed[K]) State(key K) (s State) {
	_ = k.Use(key, func(b *Breaker) error { s = b.State(); return nil })
	return s
}

// WouldWait returns how long a call for the key would wait until its breaker is half-open: 0 if
// it may pass now, or would be refused at once. A caller with calls for many keys can make
// those of other keys meanwhile.
func (k *Keyed[K]) WouldWait(key K) time.Duration {
	e, err := k.use(key)
	if err != nil { // the call will get the error
		return 0
	}
	defer k.done(e)
	return e.Value.wouldWait()
}

func (b *Breaker) wouldWait() time.Duration {
	if b.p.WhenOpen == Reject || b.term.Load().state == Closed {
		return 0
	}
	now := b.lock()
	defer b.unlock(now)
	if b.term.Load().state != Open {
		return 0
	}
	wait := until(now, b.reopens)
	if b.p.MaxWait > 0 && wait > b.p.MaxWait {
		return 0
	}
	return wait
}

// Len returns how many keys there are now.
func (k *Keyed[K]) Len() int { return k.breakers.Len() }

// WrapKeyed returns fn with every call guarded by the breaker of its item's key.
func WrapKeyed[K comparable, T, R any](k *Keyed[K], keyOf func(T) K, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (result R, err error) {
		err = k.Do(ctx, keyOf(item), func(ctx context.Context) (err error) {
			result, err = fn(ctx, item)
			return err
		})
		return result, err
	})
}
