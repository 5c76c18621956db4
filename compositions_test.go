package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// composition is policies that are put together at random, with what is known of them
// by their contracts alone.
type composition struct {
	t       *testing.T
	a, b    *ratelimit.Limiter
	rejects *ratelimit.Limiter
	keyed   *ratelimit.Keyed[int]
	breaker *circuitbreaker.Breaker
	foreign *circuitbreaker.Breaker // open: it refuses within functions
	retrier *retry.Retrier
	once    *retry.Retrier
	slowest float64 // the least rate that there was

	ctx     context.Context // of all calls
	mu      sync.Mutex
	entries map[*ratelimit.Limiter][]time.Duration // instants at which functions were entered
	start   time.Time
	paused  time.Duration
	running sync.WaitGroup
	tries   atomic.Int64 // to pass the limiter that rejects
	refused int64        // calls that do
}

// refusing is a policy that refuses what it is given, after a while: it takes a token of
// whatever is around it, and has it given back.
type refusing struct {
	after   time.Duration
	refuses *circuitbreaker.Breaker
}

func (r refusing) Do(ctx context.Context, call func(context.Context) error) error {
	select {
	case <-time.After(r.after):
	case <-ctx.Done():
	}
	return r.refuses.Do(ctx, call)
}

// hoarding is refusing of n together: when all of them have come.
type hoarding struct {
	missing atomic.Int64
	all     chan struct{}
	refuses *circuitbreaker.Breaker
}

func (h *hoarding) Do(ctx context.Context, call func(context.Context) error) error {
	if h.missing.Add(-1) == 0 {
		close(h.all)
	}
	select {
	case <-h.all:
	case <-ctx.Done():
	}
	return h.refuses.Do(ctx, call)
}

// counting is a policy that counts.
type counting struct{ n *atomic.Int64 }

func (c counting) Do(ctx context.Context, call func(context.Context) error) error {
	c.n.Add(1)
	return call(ctx)
}

const (
	ratePerSecond = 10
	attemptsMost  = 3
	nestings      = 12
)

func newComposition(ctx context.Context, t *testing.T, burst int) *composition {
	t.Helper()
	p := ratelimit.Policy{RequestsPerSecond: ratePerSecond, BurstSize: burst}
	reject := p
	reject.OnLimit = ratelimit.Reject
	return &composition{
		t: t, ctx: ctx, a: ratelimit.MustNew(p), b: ratelimit.MustNew(p), rejects: ratelimit.MustNew(reject),
		keyed:   ratelimit.MustNewKeyed[int](p, 0),
		breaker: circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 4, SuccessThreshold: 1, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait}),
		foreign: opened(t),
		retrier: retry.MustNew(retry.Policy{MaxRetries: attemptsMost - 1, InitialDelay: 10 * time.Millisecond, MaxDelay: time.Second}),
		once:    retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries, MaxDelay: 2 * time.Minute}),
		slowest: ratePerSecond, entries: map[*ratelimit.Limiter][]time.Duration{}, start: time.Now(),
	}
}

// nest returns policies, the limiters that the function is entered under directly, and
// how often it may be entered.
func (c *composition) nest(kind, outcome byte) ([]amorsize.Policy, []*ratelimit.Limiter, int) {
	both := []*ratelimit.Limiter{c.a, c.b}
	switch kind % nestings {
	case 0:
		return []amorsize.Policy{ratelimit.All(c.a, c.b)}, both, 1
	case 1:
		return []amorsize.Policy{c.retrier, c.breaker, ratelimit.All(c.b, c.a)}, both, attemptsMost
	case 2:
		return []amorsize.Policy{c.once, c.a}, both[:1], 1
	case 3:
		return []amorsize.Policy{c.a, c.breaker}, nil, 1
	case 4:
		return []amorsize.Policy{c.once, counting{&c.tries}, c.rejects}, []*ratelimit.Limiter{c.rejects}, 1
	case 5:
		return []amorsize.Policy{c.retrier, c.breaker, c.b}, both[1:], attemptsMost
	case 6:
		return []amorsize.Policy{c.breaker, c.once, c.a, c.b}, both[1:], 1
	case 7:
		return []amorsize.Policy{c.retrier, ratelimit.All(c.a, c.b), c.breaker}, nil, attemptsMost
	case 8: // refused within, which gives the tokens back
		return []amorsize.Policy{c.a, refusing{0, c.foreign}}, nil, 0
	case 9:
		return []amorsize.Policy{ratelimit.All(c.a, c.b), refusing{time.Duration(outcome) * time.Millisecond, c.foreign}}, nil, 0
	case 10:
		return []amorsize.Policy{c.once, c.b, counting{&c.tries}, c.rejects}, []*ratelimit.Limiter{c.rejects}, 1
	}
	return []amorsize.Policy{c.once, keyedPolicy{c.keyed}}, nil, 1
}

// call makes a call through policies, of which so much becomes. It must end in time.
func (c *composition) call(kind, outcome byte) {
	policies, under, most := c.nest(kind, outcome)
	if slices.Contains(under, c.rejects) {
		c.refused++
	}
	c.running.Go(func() {
		defer func() { _ = recover() }()
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		if outcome%8 == 6 { // cancelled while it waits
			defer time.AfterFunc(time.Duration(outcome)*11*time.Millisecond, cancel).Stop()
		}
		entered := 0
		defer func() {
			if entered > most {
				c.t.Errorf("entered %d times of %d", entered, most)
			}
		}()
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ int) (int, error) {
			entered++
			c.enter(under)
			switch outcome % 8 {
			case 1:
				return 0, errService
			case 2:
				panic("boom")
			case 3:
				runtime.Goexit()
			case 4:
				return 0, fmt.Errorf("inside: %w", c.foreign.Do(ctx, func(context.Context) error { return nil }))
			case 5:
				return 0, errors.Join(errService, c.foreign.Do(ctx, func(context.Context) error { return nil }))
			}
			return 0, nil
		}, make([]int, 1), amorsize.WithPolicies(policies...), amorsize.WithWorkers(1))
	})
}

func (c *composition) enter(under []*ratelimit.Limiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range under {
		c.entries[l] = append(c.entries[l], time.Since(c.start))
	}
}

// hoard makes n calls that take a token and are all refused when each has one.
func (c *composition) hoard(n int) {
	h := &hoarding{all: make(chan struct{}), refuses: c.foreign}
	h.missing.Store(int64(n))
	for range n {
		c.running.Go(func() {
			_, _ = amorsize.ExecuteContext(c.ctx, func(context.Context, int) (int, error) {
				c.t.Error("entered, although refused")
				return 0, nil
			}, make([]int, 1), amorsize.WithPolicies(c.a, h), amorsize.WithWorkers(1))
		})
	}
}

// others call for a limit alone, again and again, until ctx ends.
func (c *composition) others(ctx context.Context, wg *sync.WaitGroup, n int) {
	for i := range n {
		l := []*ratelimit.Limiter{c.a, c.b}[i%2]
		wg.Go(func() {
			for l.Acquire(ctx) == nil {
				c.enter([]*ratelimit.Limiter{l})
			}
		})
	}
}

// check looks at what the contracts promise, when all calls have returned.
func (c *composition) check(burst int) {
	for _, l := range []*ratelimit.Limiter{c.a, c.b, c.rejects} {
		at := c.entries[l]
		slices.Sort(at)
		const token = time.Second / ratePerSecond
		full := time.Duration(-1 << 62) // when it is full again
		for _, now := range at {
			full = max(full, now) + token
			require.LessOrEqual(c.t, full-now, time.Duration(burst)*token+time.Microsecond, "at %v", now)
		}
	}
	time.Sleep(10 * time.Minute)
	for _, l := range []*ratelimit.Limiter{c.a, c.b, c.rejects} {
		require.EqualValues(c.t, burst, l.AvailableTokens())
		require.True(c.t, l.TryAcquireN(float64(burst)))
	}
	counts := c.breaker.Counts()
	require.Zero(c.t, counts.Probes)
	require.Zero(c.t, counts.Waiting)
}

func FuzzCompositions(f *testing.F) {
	f.Add(uint8(0), uint8(6), []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(0), uint8(0), []byte{2, 4, 2, 4, 2, 4, 2, 4, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0})
	f.Add(uint8(0), uint8(11), []byte{249, 31, 249, 31, 0, 0, 1, 0})
	f.Add(uint8(1), uint8(4), []byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 6, 3, 6, 3, 14, 6, 5, 7, 2, 8, 3, 5, 1, 0, 9})
	f.Add(uint8(0), uint8(8), []byte{250, 3, 0, 0, 251, 2, 1, 5, 252, 1, 0, 6, 4, 0, 4, 2, 250, 9, 3, 6, 1, 3})
	f.Fuzz(func(t *testing.T, bursts, others uint8, steps []byte) {
		if len(steps) > 100 {
			t.Skip("longer than tells more")
		}
		runComposition(t, bursts, others, steps)
	})
}

func runComposition(t *testing.T, bursts, others uint8, steps []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		burst := 1 + int(bursts%3)
		ctx, cancel := context.WithCancel(t.Context())
		c := newComposition(ctx, t, burst)
		var background sync.WaitGroup
		c.others(ctx, &background, int(others%12))
		calls := 0
		for i := 0; i+1 < len(steps); i += 2 {
			switch op, arg := steps[i], steps[i+1]; {
			case op >= 253:
				time.Sleep(time.Duration(arg) * time.Millisecond)
			case op == 252: // a lower rate for a while
				require.NoError(t, c.a.SetRate(1+float64(arg%ratePerSecond)))
				c.slowest = min(c.slowest, c.a.Rate())
			case op >= 250:
				d := time.Duration(arg) * 10 * time.Millisecond
				c.b.PauseFor(d)
				c.paused += d
			case op == 249:
				calls += int(arg % 32)
				c.hoard(int(arg % 32))
			default:
				calls++
				c.call(op, arg)
			}
		}
		// In a fair turn each of those who compete has its tokens once; outages of the
		// breaker last a second, after each attempt that fails at the most.
		turn := time.Duration(float64(calls*attemptsMost+int(others%12)) / c.slowest * float64(time.Second))
		most := 2*turn + c.paused + time.Duration(calls*attemptsMost+1)*1100*time.Millisecond
		late := time.AfterFunc(most, func() {
			t.Errorf("calls wait that came %v ago", most)
			cancel()
		})
		c.running.Wait()
		late.Stop()
		cancel()
		background.Wait()
		require.LessOrEqual(t, c.tries.Load(), 3*c.refused, "each has a time of its own to come back")
		c.check(burst)
	})
}
