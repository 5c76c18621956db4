package amorsizetest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// throttledError is a 429 that says when to come back.
type throttledError struct{ after time.Duration }

func (throttledError) Error() string               { return "429" }
func (e throttledError) RetryAfter() time.Duration { return e.after }

// served is a server's answers: a status, and when to come back.
type served func(*http.Request) (status int, retryAfter time.Duration)

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	status, after := s(r)
	header := http.Header{}
	if after > 0 {
		header.Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}, nil
}

// fetch returns a function that gets a page through a transport: 100 of each host,
// one host after the other.
func fetch(c transport.Config) func(context.Context, int) (int, error) {
	t := transport.MustNew(c)
	return func(ctx context.Context, i int) (int, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://host%d/%d", i/100, i), nil)
		if err != nil {
			return 0, err
		}
		response, err := t.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("status %d: %w", response.StatusCode, err)
		}
		return i, nil
	}
}

// Policies in the function hold calls back as well as those around it: that is
// neither latency nor a call in flight. By hand is a goroutine for every item.
func TestPoliciesInTheFunction(t *testing.T) {
	type function = func(context.Context, int) (int, error)
	for name, c := range map[string]struct {
		calls int
		make  func() function
	}{
		"requests and tokens a minute": {300, func() function {
			service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(2*time.Second, 0.4)}, 1)
			requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 15, BurstSize: 15})
			tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10_000, BurstSize: 10_000})
			both := ratelimit.All(requests, tokens)
			random := rand.New(rand.NewPCG(1, 2))
			var cost [300]float64
			for i := range cost {
				cost[i] = 200 + 1200*random.Float64()
			}
			return func(ctx context.Context, i int) (int, error) {
				if err := both.AcquireEach(ctx, 1, cost[i]); err != nil {
					return 0, err
				}
				return i, service.Call(ctx)
			}
		}},
		"sorted by host": {1000, func() function {
			service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(50*ms, 0.4)}, 1)
			perHost := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}, 0)
			return ratelimit.WrapKeyed(perHost, func(i int) int { return i / 100 },
				func(ctx context.Context, i int) (int, error) { return i, service.Call(ctx) })
		}},
		"pauses announced by 429": {1000, func() function {
			service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(100*ms, 0.4)}, 1)
			limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 5})
			var calls atomic.Int64
			return retry.Wrap(retry.MustNew(retry.Policy{MaxRetries: 5}), ratelimit.Wrap(limiter,
				func(ctx context.Context, i int) (int, error) {
					if calls.Add(1)%300 == 0 {
						return 0, throttledError{700 * ms}
					}
					return i, service.Call(ctx)
				}))
		}},
		"sorted by host, by transport": {1000, func() function {
			service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(50*ms, 0.4)}, 1)
			return fetch(transport.Config{
				Base:    served(func(r *http.Request) (int, time.Duration) { _ = service.Call(r.Context()); return 200, 0 }),
				PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}, 0),
			})
		}},
		"pauses announced by 429, to transport": {1000, func() function {
			service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(100*ms, 0.4)}, 1)
			var calls atomic.Int64
			return fetch(transport.Config{
				Base: served(func(r *http.Request) (int, time.Duration) {
					if calls.Add(1)%300 == 0 {
						return 429, time.Second
					}
					_ = service.Call(r.Context())
					return 200, 0
				}),
				Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 5}),
				Retrier: retry.MustNew(retry.Policy{MaxRetries: 5}),
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var hand, ours time.Duration
			var report amorsize.Report
			synctest.Test(t, func(t *testing.T) {
				call, start := c.make(), time.Now()
				var all sync.WaitGroup
				for i := range c.calls {
					all.Go(func() { _, _ = call(t.Context(), i) })
				}
				all.Wait()
				hand = time.Since(start)
			})
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := amorsize.ExecuteContext(t.Context(), c.make(), numbers(c.calls), amorsize.WithReport(&report))
				require.NoError(t, err)
				ours = time.Since(start)
			})
			t.Logf("by hand %v, ours %v", hand, ours)
			require.LessOrEqual(t, ours.Seconds(), 1.05*hand.Seconds(), report.Explain())
			require.Equal(t, amorsize.BoundByPolicies, report.Bound, report.Explain())
		})
	}
}
