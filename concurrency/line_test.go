package concurrency

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever is served in the instant in which it gives up gives its permit back, whichever of the two it sees first.
func TestServedAndCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 64 { // select takes either
		l := MustNew(Policy{Min: 1, Max: 1})
		p, ok := l.TryAcquire()
		require.True(t, ok)
		w := l.line.Push(make(chan Permit, 1))
		p.Done(nil)
		require.Equal(t, 1, l.Stats().InFlight, "it is served")
		_, err := l.await(ctx, w)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, l.Stats().InFlight)
	}
}

// The shortest wait ends, too.
func TestShortestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{Min: 1, Max: 1, MaxWait: 1})
		p, ok := l.TryAcquire()
		require.True(t, ok)
		began := time.Now()
		_, err := l.Acquire(t.Context())
		require.ErrorIs(t, err, ErrFull)
		require.Equal(t, time.Duration(1), time.Since(began))
		p.Done(nil)
	})
}

// One that waits wants more calls than there are.
func TestOneThatWaits(t *testing.T) {
	for _, waits := range []int{0, 1, 2} {
		l, d := dialled(Policy{}, 1)
		p, ok := l.TryAcquire()
		require.True(t, ok)
		for range waits {
			l.line.Push(make(chan Permit, 1))
		}
		l.wanted = waits == 0
		d.due = true
		p.Done(nil)
		require.Equal(t, waits > 0, l.wanted, waits)
	}
}

// A refused call is told when there is room for it: behind those that wait, and behind those that were told a time
// before, unless that is more than a minute later.
func TestWhenToComeBack(t *testing.T) {
	const now = time.Hour
	for name, c := range map[string]struct {
		usual   time.Duration
		limit   int
		waiting int
		told    time.Duration
		want    time.Duration
	}{
		"nothing is known":                   {0, 2, 0, 0, unknownWait},
		"nothing is known, though some wait": {0, 2, 5, now, unknownWait},
		"the shortest call":                  {1, 1, 0, 0, 1},
		"shorter than there are calls":       {1, 9, 0, 0, 1},
		"nobody waits":                       {20 * ms, 2, 0, 0, 10 * ms},
		"behind three":                       {20 * ms, 2, 3, 0, 40 * ms},
		"behind three, told one":             {20 * ms, 2, 3, now, 40 * ms},
		"behind one that was told":           {20 * ms, 2, 0, now + 10*ms, 20 * ms},
		"a minute later":                     {20 * ms, 2, 0, now + time.Minute, time.Minute + 10*ms},
		"more than a minute later":           {20 * ms, 2, 0, now + time.Minute + 1, 10 * ms},
	} {
		l, _ := dialled(Policy{}, c.limit)
		l.usual, l.limit, l.told = c.usual, c.limit, c.told
		for range c.waiting {
			l.line.Push(make(chan Permit, 1))
		}
		var full *FullError
		require.ErrorAs(t, l.refuse(now), &full, name)
		require.Equal(t, FullError{Limit: c.limit, Waiting: c.waiting, RetryAfter: c.want}, *full, name)
	}
}
