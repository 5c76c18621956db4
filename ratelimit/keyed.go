package ratelimit

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/keyed"
)

// DefaultMaxKeys is how many keys a [Keyed] holds unless told otherwise.
const DefaultMaxKeys = 100_000

// Keyed is a limiter for each key: a host, a tenant, an API key. A limiter is made when
// its key is first used, and dropped when it is not in use and its bucket is full, which
// no call notices. So a million keys take only the memory of those used recently. It has
// no goroutine.
//
// A limiter whose rate was changed, by SetRate or by [Adapt], is kept as long as there is
// room.
type Keyed[K comparable] struct {
	limiters *keyed.Map[K, *Limiter]
}

// NewKeyed returns a Keyed whose limiters have the policy, for at most maxKeys
// keys at a time; 0 is [DefaultMaxKeys].
func NewKeyed[K comparable](p Policy, maxKeys int) (*Keyed[K], error) {
	if maxKeys < 0 {
		return nil, bad("maxKeys", maxKeys, "at least 1, or 0 for the default")
	}
	if maxKeys == 0 {
		maxKeys = DefaultMaxKeys
	}
	if _, err := New(p); err != nil {
		return nil, err
	}
	create := func(K) *Limiter {
		l := MustNew(p) // valid, as just seen
		l.keyed = true
		return l
	}
	first := MustNew(p).bucket.Load()
	unchanged := func(l *Limiter) bool {
		b := l.bucket.Load()
		return b.rate == first.rate && b.burst == first.burst && l.idle()
	}
	return &Keyed[K]{keyed.New[K](maxKeys, create, unchanged, (*Limiter).idle)}, nil
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
// dropped when f has returned. If there are too many keys, and none of the 64 used
// longest ago has a full bucket, Use returns a [*TooManyKeysError] at once, even if the
// policy waits. A retrier waits as long as the error says, and longer after each further
// one.
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
	return nil, k.tooMany()
}

// keysInUse is when to come back if all keys have calls in progress: their duration is
// not known.
const keysInUse = 100 * time.Millisecond

func (k *Keyed[K]) tooMany() error {
	after, ok := k.limiters.Free((*Limiter).untilFull)
	if !ok {
		after = keysInUse
	}
	// At least 1 ns: 0 would mean that no time is known.
	return &TooManyKeysError{Keys: k.limiters.Len(), RetryAfter: max(after, 1)}
}

// untilFull returns how long it is until the bucket is full, if no other call comes.
func (l *Limiter) untilFull() time.Duration {
	b, now := l.lock()
	defer l.unlock(b, now)
	return l.wait(b, now, uint128{lo: uint64(b.burst)}.shifted(fineBits))
}

// Acquire is [Limiter.Acquire] for a key.
func (k *Keyed[K]) Acquire(ctx context.Context, key K) error { return k.AcquireN(ctx, key, 1) }

// AcquireN is [Limiter.AcquireN] for a key.
func (k *Keyed[K]) AcquireN(ctx context.Context, key K, n float64) error {
	return k.Use(key, func(l *Limiter) error { return l.AcquireN(ctx, n) })
}

// TryAcquire is [Limiter.TryAcquire] for a key. It is false if there are too many keys.
func (k *Keyed[K]) TryAcquire(key K) bool {
	ok := false
	err := k.Use(key, func(l *Limiter) error { ok = l.TryAcquire(); return nil })
	return ok && err == nil
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

// Len returns how many keys there are now.
func (k *Keyed[K]) Len() int { return k.limiters.Len() }

// WrapKeyed returns fn with a token taken for every call from the limiter of the
// item's key.
func WrapKeyed[K comparable, T, R any](k *Keyed[K], keyOf func(T) K, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (result R, err error) {
		err = k.Do(ctx, keyOf(item), func(ctx context.Context) (err error) {
			result, err = fn(ctx, item)
			return err
		})
		return result, err
	})
}
