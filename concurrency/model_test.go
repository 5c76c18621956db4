package concurrency

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// FuzzLimiter has calls come, leave, end and be cancelled at random while the limit
// changes, beside a model: a set of those in flight and a queue of those who wait.
func FuzzLimiter(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { newBench(t, seed).run() })
	})
}

// caller is one call of the model.
type caller struct {
	cancel context.CancelFunc
	permit chan Permit // it was let in
	failed chan error  // it was not
}

type bench struct {
	*testing.T
	random            *rand.Rand
	l                 *Limiter
	law               *dial
	limit             int       // that the limiter has heard of
	inFlight, waiting []*caller // of the model
	permits           map[*caller]Permit
}

func newBench(t *testing.T, seed uint64) *bench {
	b := &bench{T: t, random: rand.New(rand.NewPCG(seed, 3)), permits: map[*caller]Permit{}}
	b.limit = 1 + b.random.IntN(4)
	b.l, b.law = dialled(Policy{MaxWaiting: 8}, b.limit)
	return b
}

func (b *bench) run() {
	for range 200 {
		switch b.random.IntN(6) {
		case 0, 1:
			b.arrive()
		case 2, 3:
			b.finish()
		case 4:
			b.leave()
		case 5:
			b.law.limit = 1 + b.random.IntN(6) // heard of when a call ends, or finds no room
		}
		b.check()
	}
	b.law.limit = 100
	for len(b.inFlight) > 0 {
		b.finish()
		b.check()
	}
	require.Empty(b, b.waiting)
	for c := range b.permits {
		c.cancel()
	}
}

func (b *bench) arrive() {
	ctx, cancel := context.WithCancel(b.Context())
	c := &caller{cancel: cancel, permit: make(chan Permit, 1), failed: make(chan error, 1)}
	go func() {
		if p, err := b.l.Acquire(ctx); err != nil {
			c.failed <- err
		} else {
			c.permit <- p
		}
	}()
	synctest.Wait()
	if len(b.waiting) > 0 || len(b.inFlight) >= b.limit {
		b.hear()
	}
	switch {
	case len(b.waiting) == 0 && len(b.inFlight) < b.limit:
		b.begin(c)
	case len(b.waiting) == 8:
		require.ErrorIs(b, <-c.failed, ErrFull)
		cancel()
	default:
		b.waiting = append(b.waiting, c)
	}
}

func (b *bench) begin(c *caller) {
	require.Len(b, c.permit, 1)
	b.permits[c] = <-c.permit
	b.inFlight = append(b.inFlight, c)
}

// finish ends a call, and lets those begin for whom there is room.
func (b *bench) finish() {
	if len(b.inFlight) == 0 {
		return
	}
	at := b.random.IntN(len(b.inFlight))
	c := b.inFlight[at]
	b.inFlight = slices.Delete(b.inFlight, at, at+1)
	if b.random.IntN(2) == 0 {
		b.permits[c].Done(nil)
	} else {
		b.permits[c].Cancel()
	}
	c.cancel()
	synctest.Wait()
	b.hear()
}

// hear has the limit heard of, and lets those begin for whom there is room.
func (b *bench) hear() {
	b.limit = b.law.limit
	for len(b.waiting) > 0 && len(b.inFlight) < b.limit {
		next := b.waiting[0]
		b.waiting = b.waiting[1:]
		b.begin(next)
	}
}

func (b *bench) leave() {
	if len(b.waiting) == 0 {
		return
	}
	at := b.random.IntN(len(b.waiting))
	b.waiting[at].cancel()
	require.ErrorIs(b, <-b.waiting[at].failed, context.Canceled)
	b.waiting = slices.Delete(b.waiting, at, at+1)
}

func (b *bench) check() {
	synctest.Wait()
	s := b.l.Stats()
	require.Equal(b, len(b.inFlight), s.InFlight)
	require.Equal(b, len(b.waiting), s.Waiting)
	for _, c := range b.waiting {
		require.Empty(b, c.permit)
		require.Empty(b, c.failed)
	}
}
