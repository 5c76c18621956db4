package circuitbreaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
)

var errTest = errors.New("out of order")

// refused is the error of a policy that did not make the call.
type refused time.Duration

func (r refused) Error() string          { return "refused" }
func (r refused) Refused() time.Duration { return time.Duration(r) }

func returns(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func fail(t *testing.T, b *circuitbreaker.Breaker, times int) {
	t.Helper()
	for range times {
		require.ErrorIs(t, b.Do(t.Context(), returns(errTest)), errTest)
	}
}

func TestPolicy(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	assert.Equal(t, circuitbreaker.Closed, b.State())
	assert.Zero(t, b.Counts())
	for says, p := range map[string]circuitbreaker.Policy{
		"FailureThreshold = -1":                   {FailureThreshold: -1},
		"SuccessThreshold = -1":                   {SuccessThreshold: -1},
		"HalfOpenProbes = -1":                     {HalfOpenProbes: -1},
		"MinimumCalls = -1":                       {MinimumCalls: -1},
		"OpenFor = -1ns":                          {OpenFor: -1},
		"Window = -1ns":                           {Window: -1},
		"Window = 9ns: must be at least 10 ns":    {Window: 9},
		"ProbeTimeout = -1ns":                     {ProbeTimeout: -1},
		"MaxWait = -1ns":                          {MaxWait: -1},
		"SlowCall = -1ns":                         {SlowCall: -1},
		"FailureRate = 1.5: must be above 0 up":   {FailureRate: 1.5},
		"FailureRate = NaN":                       {FailureRate: math.NaN()},
		"SlowCallRate = -1":                       {SlowCallRate: -1},
		"SlowCall = 0s: must be above 0 where":    {SlowCallRate: 0.5},
		"SlowCallRate = 0: must be above 0 where": {SlowCall: 1},
		"WhenOpen = 2":                            {WhenOpen: 2},
	} {
		_, err := circuitbreaker.New(p)
		require.ErrorIs(t, err, circuitbreaker.ErrInvalid, says)
		assert.ErrorContains(t, err, says)
		assert.Panics(t, func() { circuitbreaker.MustNew(p) })
	}
	assert.Equal(t, "closed open half-open", fmt.Sprint(circuitbreaker.Closed, " ", circuitbreaker.Open, " ", circuitbreaker.HalfOpen))
}

// Cases CB-04 to CB-21 of the Python system.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var b *circuitbreaker.Breaker
		b = circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 3,
			OpenFor:          10 * time.Second,
			OnOpen:           func(n int, err error) { told = append(told, fmt.Sprint("open ", n, " ", err, " ", b.State())) },
			OnHalfOpen:       func() { told = append(told, "half-open"); _ = b.Do(t.Context(), returns(refused(0))) },
			OnClose:          func() { told = append(told, fmt.Sprint("close ", b.Counts())); panic("dropped") },
		})
		fail(t, b, 2)
		assert.Equal(t, circuitbreaker.Counts{Failures: 2}, b.Counts())
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Zero(t, b.Counts())
		fail(t, b, 3)
		opened := time.Now()
		assert.Equal(t, circuitbreaker.Counts{Failures: 3, OpenedAt: opened}, b.Counts())

		time.Sleep(time.Second)
		err := b.Do(t.Context(), func(context.Context) error { panic("not called") })
		var open *circuitbreaker.OpenError
		require.ErrorAs(t, err, &open)
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		assert.Equal(t, circuitbreaker.Open, open.State)
		assert.Equal(t, 9*time.Second, open.RetryAfter)
		assert.Equal(t, opened, open.OpenedAt)

		time.Sleep(9 * time.Second)
		assert.Equal(t, circuitbreaker.HalfOpen, b.State())
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Equal(t, circuitbreaker.HalfOpen, b.State())
		assert.Equal(t, 1, b.Counts().Successes)
		fail(t, b, 1)
		assert.Equal(t, circuitbreaker.Open, b.State())
		time.Sleep(10 * time.Second)
		for range 2 {
			require.NoError(t, b.Do(t.Context(), returns(nil)))
		}
		assert.Equal(t, circuitbreaker.Closed, b.State())
		assert.Zero(t, b.Counts())
		assert.Equal(t, []string{
			"open 3 out of order open", "half-open", "open 4 out of order open", "half-open", "close {0 0 0 0 0001-01-01 00:00:00 +0000 UTC 0 0 0}",
		}, told)
		fail(t, b, 3)
		b.Reset()
		assert.Equal(t, circuitbreaker.Closed, b.State())
		assert.Zero(t, b.Counts())
	})
}

func TestIsFailure(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 2, IsFailure: func(err error) bool { return errors.Is(err, errTest) }})
	for range 5 {
		require.Error(t, b.Do(t.Context(), returns(errors.New("not found"))))
	}
	assert.Zero(t, b.Counts())
	fail(t, b, 2)
	assert.Equal(t, circuitbreaker.Open, b.State())
	panics := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, IsFailure: func(error) bool { panic("dropped") }})
	fail(t, panics, 1)
	assert.Equal(t, circuitbreaker.Open, panics.State())
}

func TestNeutral(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 2})
	fail(t, b, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 5 {
		require.Error(t, b.Do(t.Context(), returns(fmt.Errorf("limit: %w", refused(0)))))
		require.Error(t, b.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }))
	}
	assert.Equal(t, 1, b.Counts().Failures)
	fail(t, b, 1)
	assert.Equal(t, circuitbreaker.Open, b.State())
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failures int
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: math.MaxInt, FailureRate: 0.5, MinimumCalls: 10, Window: 10 * time.Second,
			OnOpen: func(n int, _ error) { failures = n },
		})
		for range 4 { // 4 of 8 within the window, too few calls
			fail(t, b, 1)
			require.NoError(t, b.Do(t.Context(), returns(nil)))
		}
		time.Sleep(9 * time.Second)
		c := b.Counts()
		assert.Equal(t, []int{8, 4, 0}, []int{c.WindowCalls, c.WindowFailures, c.WindowSlow})
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		time.Sleep(time.Second) // the eight are out of it
		assert.Equal(t, 1, b.Counts().WindowCalls)
		for range 8 {
			require.NoError(t, b.Do(t.Context(), returns(nil)))
		}
		fail(t, b, 8)
		assert.Equal(t, circuitbreaker.Closed, b.State(), "8 of 17")
		fail(t, b, 1)
		assert.Equal(t, circuitbreaker.Open, b.State(), "9 of 18")
		assert.Equal(t, 9, failures)
		time.Sleep(time.Hour)
		assert.Zero(t, b.Counts().WindowCalls)
	})
}

func TestSlowCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last error
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			SlowCall: time.Second, SlowCallRate: 0.5, MinimumCalls: 4, SuccessThreshold: 1,
			OnOpen: func(_ int, err error) { last = err },
		})
		takes := func(d time.Duration) {
			require.NoError(t, b.Do(t.Context(), func(context.Context) error { time.Sleep(d); return nil }))
		}
		for _, d := range []time.Duration{time.Second - 1, 0, time.Second, 2 * time.Second} {
			assert.Equal(t, circuitbreaker.Closed, b.State())
			takes(d)
		}
		assert.Equal(t, circuitbreaker.Open, b.State())
		require.ErrorIs(t, last, circuitbreaker.ErrSlow)
		time.Sleep(time.Minute)
		takes(time.Second)
		assert.Equal(t, circuitbreaker.Open, b.State(), "a slow probe has failed")
		time.Sleep(time.Minute)
		takes(0)
		assert.Equal(t, circuitbreaker.Closed, b.State())
	})
}

// Calls from before the trip say nothing about the time after it.
func TestLateResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Second})
		var wg sync.WaitGroup
		for _, err := range []error{nil, nil, errTest} {
			wg.Go(func() {
				_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(1500 * time.Millisecond); return err })
			})
		}
		synctest.Wait()
		fail(t, b, 1)
		wg.Wait()
		assert.Equal(t, circuitbreaker.HalfOpen, b.State())
		assert.Zero(t, b.Counts().Successes)
	})
}

// A probe that doesn't come back as it should frees its place.
func TestProbesFreeTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Minute, ProbeTimeout: 10 * time.Second, HalfOpenProbes: 2, SuccessThreshold: 1})
		halfOpen := func() {
			b.Reset()
			fail(t, b, 1)
			time.Sleep(time.Minute)
			require.Equal(t, circuitbreaker.HalfOpen, b.State())
		}
		halfOpen()
		forgotten, err := b.Allow(t.Context())
		require.NoError(t, err)
		hung := make(chan struct{})
		go func() { _ = b.Do(t.Context(), func(context.Context) error { <-hung; return nil }) }()
		synctest.Wait()
		assert.Equal(t, 2, b.Counts().Probes)
		var open *circuitbreaker.OpenError
		require.ErrorAs(t, b.Do(t.Context(), returns(nil)), &open)
		assert.Equal(t, circuitbreaker.HalfOpen, open.State)
		assert.Equal(t, 6*time.Second, open.RetryAfter)
		time.Sleep(10 * time.Second)
		assert.Zero(t, b.Counts().Probes)
		close(hung)
		synctest.Wait()
		forgotten.Done(nil)
		assert.Equal(t, circuitbreaker.HalfOpen, b.State(), "too late to count")
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Equal(t, circuitbreaker.Closed, b.State())

		for name, call := range map[string]func(){
			"panic":  func() { _ = b.Do(t.Context(), func(context.Context) error { panic("boom") }) },
			"goexit": func() { _ = b.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil }) },
		} {
			halfOpen()
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				call()
			})
			wg.Wait()
			assert.Equal(t, circuitbreaker.Open, b.State(), name)
			assert.Zero(t, b.Counts().Probes)
		}
		halfOpen()
		ctx, cancel := context.WithCancel(t.Context())
		require.Error(t, b.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }))
		assert.Equal(t, circuitbreaker.HalfOpen, b.State(), "cancelled: neutral")
		assert.Zero(t, b.Counts().Probes)
	})
}

func TestDoneCountsOnce(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 3})
	p, err := b.Allow(t.Context())
	require.NoError(t, err)
	for range 10 {
		p.Done(errTest)
	}
	assert.Equal(t, 1, b.Counts().Failures)
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Minute, WhenOpen: circuitbreaker.Wait})
		fail(t, b, 1)
		start := time.Now()
		var running, most, done atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				assert.NoError(t, b.Do(t.Context(), func(context.Context) error {
					if n := running.Add(1); time.Since(start) < time.Minute+2*time.Second {
						most.Store(max(most.Load(), n))
					}
					time.Sleep(time.Second)
					running.Add(-1)
					done.Add(1)
					return nil
				}))
			})
		}
		synctest.Wait()
		assert.Equal(t, 100, b.Counts().Waiting)
		time.Sleep(time.Minute + 2500*time.Millisecond)
		assert.EqualValues(t, 1, most.Load(), "one probe at a time")
		assert.EqualValues(t, 2, done.Load())
		assert.Equal(t, circuitbreaker.Closed, b.State())
		wg.Wait()
		assert.Equal(t, time.Minute+3*time.Second, time.Since(start), "the rest at once when it closed")
	})
}

// A probe that fails keeps those who wait waiting; one that is lost lets the next try.
func TestWaitThroughReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, SuccessThreshold: 1, OpenFor: time.Minute, ProbeTimeout: time.Second, WhenOpen: circuitbreaker.Wait})
		fail(t, b, 1)
		start := time.Now()
		var down atomic.Bool
		down.Store(true)
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				err := b.Do(t.Context(), func(context.Context) error {
					if i == 0 {
						time.Sleep(10 * time.Second) // loses its place
					}
					if down.Swap(false) {
						return errTest
					}
					return nil
				})
				if i == 1 {
					assert.ErrorIs(t, err, errTest)
					assert.Equal(t, 61*time.Second, time.Since(start))
				} else {
					assert.NoError(t, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		assert.Equal(t, 121*time.Second, time.Since(start))
	})
}

func TestWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("shut down")
		p := circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Minute, WhenOpen: circuitbreaker.Wait}
		b := circuitbreaker.MustNew(p)
		fail(t, b, 1)
		never := func(context.Context) error { panic("not called") }
		start := time.Now()

		timed, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		err := b.Do(timed, never)
		assert.Zero(t, time.Since(start), "the deadline can't be met")
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		err = b.Do(ctx, never)
		for _, want := range []error{circuitbreaker.ErrOpen, context.Canceled, cause} {
			require.ErrorIs(t, err, want)
		}
		assert.Equal(t, time.Second, time.Since(start))
		assert.Zero(t, b.Counts().Waiting)
		err = b.Do(ctx, never)
		require.ErrorIs(t, err, context.Canceled, "ended before")

		p.MaxWait = 30 * time.Second
		b = circuitbreaker.MustNew(p)
		fail(t, b, 1)
		start = time.Now()
		require.ErrorIs(t, b.Do(t.Context(), never), circuitbreaker.ErrOpen)
		assert.Zero(t, time.Since(start), "it will be open for longer")
		time.Sleep(time.Minute)
		go func() {
			_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(50 * time.Second); return nil })
		}()
		synctest.Wait()
		start = time.Now()
		var open *circuitbreaker.OpenError
		require.ErrorAs(t, b.Do(t.Context(), never), &open)
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.Equal(t, circuitbreaker.HalfOpen, open.State)
		synctest.Wait()
		time.Sleep(time.Hour)
	})
}

func TestBadArguments(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	var none context.Context
	require.ErrorIs(t, b.Do(none, returns(nil)), circuitbreaker.ErrInvalid)
	require.ErrorIs(t, b.Do(t.Context(), nil), circuitbreaker.ErrInvalid)
	_, err := b.Allow(none)
	require.ErrorIs(t, err, circuitbreaker.ErrInvalid)
	_, err = circuitbreaker.Call[int](t.Context(), b, nil)
	require.ErrorIs(t, err, circuitbreaker.ErrInvalid)
}

func TestAllocations(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	rated := circuitbreaker.MustNew(circuitbreaker.Policy{FailureRate: 0.5})
	ctx := t.Context()
	call := returns(nil)
	wrapped := circuitbreaker.Wrap(b, func(_ context.Context, i int) (int, error) { return i, nil })
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = b.Do(ctx, call) }))
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = rated.Do(ctx, call) }))
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = wrapped(ctx, 1) }))
}
