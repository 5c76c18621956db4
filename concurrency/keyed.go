package concurrency

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/keyed"
)

// DefaultMaxKeys is how many keys a [Keyed] holds unless told otherwise.
const DefaultMaxKeys = 10_000

// forgotten is how long a limiter must be unused to be dropped: its measurements are then
// outdated.
const forgotten = 10 * time.Minute

// Keyed is a limiter for each key: a host, a tenant, a shard. A limiter is made when its key
// is first used. It is dropped when it has been unused for ten minutes, or, if there are too
// many keys, when none of its calls is in flight. It has no goroutine.
type Keyed[K comparable] struct {
	limiters *keyed.Map[K, *Limiter]
}

// NewKeyed returns a Keyed whose limiters have the policy, for at most maxKeys keys at a
// time; 0 is [DefaultMaxKeys].
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
	create := func(K) *Limiter {
		l := MustNew(p) // valid, as just seen
		l.keyed = true
		return l
	}
	idle := func(l *Limiter) bool { return l.idleFor() > forgotten }
	spare := func(l *Limiter) bool { return l.idleFor() >= 0 }
	return &Keyed[K]{keyed.New[K](maxKeys, create, idle, spare)}, nil
}

// idleFor returns for how long no call has been in flight; below 0 if one is.
func (l *Limiter) idleFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight.n > 0 || l.line.Len() > 0 {
		return -1
	}
	return clock.Now() - l.used
}

// MustNewKeyed is [NewKeyed] for settings that are known to be valid; it panics if not.
func MustNewKeyed[K comparable](p Policy, maxKeys int) *Keyed[K] {
	k, err := NewKeyed[K](p, maxKeys)
	if err != nil {
		panic(err)
	}
	return k
}

// Use calls f with the limiter of the key. f must not keep the limiter, since it may be
// dropped when f has returned and all its permits are returned. If there are too many keys
// in use, it returns a [*TooManyKeysError].
func (k *Keyed[K]) Use(key K, f func(*Limiter) error) error {
	e, err := k.use(key)
	if err != nil {
		return err
	}
	defer k.limiters.Done(e)
	return f(e.Value)
}

// use returns the entry of the key, which must be given back.
func (k *Keyed[K]) use(key K) (*keyed.Entry[K, *Limiter], error) {
	if key != key { // a NaN: it could never be found again
		return nil, bad("key", key, "equal to itself")
	}
	if e := k.limiters.Use(key); e != nil {
		return e, nil
	}
	return nil, &TooManyKeysError{Keys: k.limiters.Len()}
}

// Acquire is [Limiter.Acquire] for a key.
func (k *Keyed[K]) Acquire(ctx context.Context, key K) (p Permit, err error) {
	err = k.Use(key, func(l *Limiter) error {
		p, err = l.Acquire(ctx)
		return err
	})
	return p, err
}

// TryAcquire is [Limiter.TryAcquire] for a key. It is false if there are too many keys.
func (k *Keyed[K]) TryAcquire(key K) (p Permit, ok bool) {
	err := k.Use(key, func(l *Limiter) error { p, ok = l.TryAcquire(); return nil })
	return p, ok && err == nil
}

// Do is [Limiter.Do] for a key.
func (k *Keyed[K]) Do(ctx context.Context, key K, call func(context.Context) error) error {
	e, err := k.use(key)
	if err != nil {
		return err
	}
	defer k.limiters.Done(e)
	return e.Value.Do(ctx, call)
}

// Stats is [Limiter.Stats] for a key.
func (k *Keyed[K]) Stats(key K) (s Stats) {
	_ = k.Use(key, func(l *Limiter) error { s = l.Stats(); return nil })
	return s
}

// Len returns how many keys there are now.
func (k *Keyed[K]) Len() int { return k.limiters.Len() }

// WrapKeyed returns fn with every call under the limit of its item's key.
func WrapKeyed[K comparable, T, R any](k *Keyed[K], keyOf func(T) K, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (result R, err error) {
		err = k.Do(ctx, keyOf(item), func(ctx context.Context) (err error) {
			result, err = fn(ctx, item)
			return err
		})
		return result, err
	})
}
