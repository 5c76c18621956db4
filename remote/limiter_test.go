package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// row is a rate's row in virtual time, with trips that take a while and a database that can be away.
type row struct {
	lock   sync.Mutex
	due    time.Time
	paused time.Time
	trip   time.Duration
	away   atomic.Bool
	trips  atomic.Int64
	tokens atomic.Int64
}

func (r *row) reach(ctx context.Context) error {
	r.trips.Add(1)
	time.Sleep(r.trip/2 + rand.N(r.trip+1))
	if r.away.Load() {
		return errors.New("the database is away")
	}
	return ctx.Err()
}

func (r *row) Reserve(ctx context.Context, _ string, tokens int, interval time.Duration, burst int) (store.Lease, error) {
	if err := r.reach(ctx); err != nil {
		return store.Lease{}, err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	now := time.Now()
	if full := now.Add(-time.Duration(burst-1) * interval); r.due.Before(full) {
		r.due = full
	}
	wait := r.due.Sub(now)
	r.due = r.due.Add(time.Duration(tokens) * interval)
	r.tokens.Add(int64(tokens))
	return store.Lease{Tokens: tokens, Wait: wait, Paused: max(0, r.paused.Sub(now))}, nil
}

func (r *row) Pause(ctx context.Context, _ string, pause time.Duration) error {
	if err := r.reach(ctx); err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if until := time.Now().Add(pause); until.After(r.paused) {
		r.paused = until
		if r.due.Before(until) {
			r.due = until
		}
	}
	return nil
}

func (r *row) Paused(ctx context.Context, _ string) (time.Duration, error) {
	if err := r.reach(ctx); err != nil {
		return 0, err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	return max(0, time.Until(r.paused)), nil
}

func (r *row) limiter(t testing.TB, policy ratelimit.Policy, lost OnLost) *SharedLimiter {
	l := &SharedLimiter{name: "api", rows: r, beat: DefaultHeartbeat, lost: lost, share: func() int { return 4 }}
	require.NoError(t, l.init(policy))
	return l
}

// calls records when calls began.
type calls struct {
	lock sync.Mutex
	at   []time.Time
}

func (c *calls) add() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.at = append(c.at, time.Now())
}

// most is how many calls began in any window of a length.
func (c *calls) most(window time.Duration) int {
	slices.SortFunc(c.at, time.Time.Compare)
	most, first := 0, 0
	for last := range c.at {
		for c.at[last].Sub(c.at[first]) >= window {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// spend has processes with so many goroutines each call for so long.
func spend(t *testing.T, r *row, policy ratelimit.Policy, processes, goroutines int, length time.Duration) *calls {
	var c calls
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	for range processes {
		l := r.limiter(t, policy, FailClosed)
		for range goroutines {
			all.Go(func() {
				for l.Do(ctx, func(context.Context) error { c.add(); return nil }) == nil {
				}
			})
		}
	}
	all.Wait()
	return &c
}

// TestSharedRate holds what is promised of windows, and that nothing of the rate is left.
func TestSharedRate(t *testing.T) {
	for _, c := range []struct {
		rate       float64
		burst      int
		processes  int
		goroutines int
		trip       time.Duration
	}{
		{100, 1, 4, 4, time.Millisecond},
		{100, 10, 4, 50, 5 * time.Millisecond},
		{5000, 1, 4, 20, time.Millisecond},
		{5000, 500, 8, 100, 3 * time.Millisecond},
		{3, 1, 4, 1, time.Millisecond},
		{1000, 1, 1, 1, time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%v/s burst %d, %d × %d", c.rate, c.burst, c.processes, c.goroutines), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const length = 20 * time.Second
				r := &row{trip: c.trip}
				got := spend(t, r, ratelimit.Policy{RequestsPerSecond: c.rate, BurstSize: c.burst}, c.processes, c.goroutines, length)
				want := c.rate * length.Seconds()
				assert.InEpsilon(t, want, len(got.at), 0.02+float64(c.burst)/want, "all of the rate")
				for _, w := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
					allowed := float64(c.burst) + c.rate*(w+LeaseTime).Seconds() + 1
					assert.LessOrEqual(t, float64(got.most(w)), allowed, "in %v", w)
				}
				trips := float64(r.trips.Load()) / float64(len(got.at))
				assert.LessOrEqual(t, trips, 1.2)
				if c.rate == 5000 {
					assert.LessOrEqual(t, trips, 0.05, "leases have grown")
				}
			})
		})
	}
}

// A pause that one process is told of is seen by the others within a heartbeat, and after it nobody bursts.
func TestSharedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &row{trip: time.Millisecond}
		policy := ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1}
		one, two := r.limiter(t, policy, FailClosed), r.limiter(t, policy, FailClosed)
		begun := time.Now()
		var c calls
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				for two.Do(ctx, func(context.Context) error { c.add(); return nil }) == nil {
				}
			})
		}
		time.Sleep(5 * time.Second)
		err := one.Do(ctx, func(context.Context) error { return retryAfter(10 * time.Second) })
		require.Error(t, err)
		paused := time.Since(begun)
		all.Wait()
		after := 0
		for _, at := range c.at {
			if since := at.Sub(begun) - paused; since > DefaultHeartbeat && since < 9900*time.Millisecond {
				after++
			}
		}
		assert.Zero(t, after, "within the pause, beyond a heartbeat")
		assert.LessOrEqual(t, c.most(100*time.Millisecond), 1+10+25+1)
		assert.Greater(t, len(c.at), 1900)
	})
}

type retryAfter time.Duration

func (r retryAfter) Error() string             { return "429" }
func (r retryAfter) RetryAfter() time.Duration { return time.Duration(r) }

func TestSharedLimiterAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &row{trip: time.Millisecond}
		r.away.Store(true)
		policy := ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1}
		closed := r.limiter(t, policy, FailClosed)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		require.ErrorIs(t, closed.Wait(ctx), context.Canceled, "no call while the database is away")
		short, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		require.Error(t, closed.Wait(short))

		share := r.limiter(t, policy, LocalShare)
		begun := time.Now()
		for range 100 {
			require.NoError(t, share.Wait(t.Context()))
		}
		assert.InDelta(t, 4, time.Since(begun).Seconds(), 0.5, "a quarter of the rate")
		r.away.Store(false)
		begun = time.Now()
		for range 100 {
			require.NoError(t, share.Wait(t.Context()))
			require.NoError(t, closed.Wait(t.Context()))
		}
		assert.InDelta(t, 2, time.Since(begun).Seconds(), 0.5)
	})
}

// A call that gives up leaves its token to the next.
func TestSharedCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &row{trip: time.Millisecond}
		l := r.limiter(t, ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, FailClosed)
		require.NoError(t, l.Wait(t.Context()))
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			require.ErrorIs(t, l.Wait(ctx), context.Canceled)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var deadline *ratelimit.DeadlineError
		require.ErrorAs(t, l.Wait(ctx), &deadline)
		require.NoError(t, l.Wait(t.Context()))
		assert.LessOrEqual(t, r.tokens.Load(), int64(3))
	})
}

func TestSharedReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &row{trip: time.Millisecond}
		waits := 0
		l := r.limiter(t, ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 2, OnLimit: ratelimit.Reject, OnWait: func(time.Duration) { waits++ }}, FailClosed)
		require.NoError(t, l.Wait(t.Context()))
		require.NoError(t, l.Wait(t.Context()))
		var exceeded *ratelimit.ExceededError
		require.ErrorAs(t, l.Wait(t.Context()), &exceeded)
		time.Sleep(exceeded.RetryAfter)
		require.NoError(t, l.Wait(t.Context()))
	})
}

func TestSharedSettings(t *testing.T) {
	l := &SharedLimiter{name: "api"}
	require.Error(t, l.init(ratelimit.Policy{}))
	require.ErrorIs(t, l.init(ratelimit.Policy{Adapt: &ratelimit.Adapt{}}), ErrConfig)
	require.ErrorIs(t, l.init(ratelimit.Policy{RequestsPerSecond: 2e6}), ErrConfig)
	l.name = ""
	require.ErrorIs(t, l.init(ratelimit.Policy{RequestsPerSecond: 1}), ErrConfig)
}

// ledger is a breaker's row.
type ledger struct {
	lock   sync.Mutex
	until  time.Time
	reason string
}

func (l *ledger) OpenBreaker(_ context.Context, _ string, open time.Duration, reason string) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.until, l.reason = time.Now().Add(open), reason
	return nil
}

func (l *ledger) Breaker(context.Context, string) (store.Breaker, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return store.Breaker{Open: max(0, time.Until(l.until)), Reason: l.reason}, nil
}

// A breaker that opens here is open there within a heartbeat, and both close.
func TestSharedBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows ledger
		policy := circuitbreaker.Policy{FailureThreshold: 2, OpenFor: 10 * time.Second}
		one, err := newBreaker(&rows, DefaultHeartbeat, "api", policy)
		require.NoError(t, err)
		two, err := newBreaker(&rows, DefaultHeartbeat, "api", policy)
		require.NoError(t, err)
		policy.WhenOpen = circuitbreaker.Wait
		three, err := newBreaker(&rows, DefaultHeartbeat, "api", policy)
		require.NoError(t, err)
		ok := func(context.Context) error { return nil }
		require.NoError(t, two.Do(t.Context(), ok))
		for range 2 {
			require.Error(t, one.Do(t.Context(), func(context.Context) error { return errors.New("no") }))
		}
		require.ErrorIs(t, one.Do(t.Context(), ok), circuitbreaker.ErrOpen)
		time.Sleep(DefaultHeartbeat)
		ran := false
		err = two.Do(t.Context(), func(context.Context) error { ran = true; return nil })
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		assert.False(t, ran)
		assert.Equal(t, circuitbreaker.Open, two.State())
		begun := time.Now()
		require.NoError(t, three.Do(t.Context(), ok))
		assert.InDelta(t, 8, time.Since(begun).Seconds(), 0.1, "it waited until the other's was over")
		require.NoError(t, two.Do(t.Context(), ok))
		for range 5 {
			require.NoError(t, one.Do(t.Context(), ok))
		}
		assert.Equal(t, circuitbreaker.Closed, one.State())
		_, err = newBreaker(&rows, DefaultHeartbeat, "", policy)
		require.ErrorIs(t, err, ErrConfig)
	})
}
