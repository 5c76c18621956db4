package transport_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// straggling is a host whose answers take 20 ms, and a few much longer.
type straggling struct {
	mu     sync.Mutex
	random *rand.Rand
	few    float64 // the share of them
	sent   int
	ended  int // requests that were cancelled
	body   func() io.ReadCloser
}

func (s *straggling) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.sent++
	took := 20 * time.Millisecond
	if s.random.Float64() < s.few {
		took *= 20
	}
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-r.Context().Done():
		s.mu.Lock()
		s.ended++
		s.mu.Unlock()
		return nil, context.Cause(r.Context())
	}
	body := io.ReadCloser(http.NoBody)
	if s.body != nil {
		body = s.body()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

// times sends requests from several goroutines, and returns how long each took, sorted.
func times(t *testing.T, rt http.RoundTripper, method string, n int) (list []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range n / 10 {
				start := time.Now()
				resp, err := send(t, rt, method, "")
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				mu.Lock()
				list = append(list, time.Since(start))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(list)
	return list
}

// One answer in a hundred takes 20 times as long: requests sent a second time cut that off,
// for as many more as there are of these.
func TestHedge(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		hedge  *transport.Hedge
		p99    time.Duration
		extra  float64 // most, of the requests
	}{
		"without":          {http.MethodGet, nil, 400 * time.Millisecond, 0},
		"with":             {http.MethodGet, &transport.Hedge{}, 42*time.Millisecond + 1, 0.02},
		"not idempotent":   {http.MethodPost, &transport.Hedge{}, 400 * time.Millisecond, 0},
		"a smaller budget": {http.MethodGet, &transport.Hedge{Budget: 0.001}, 400 * time.Millisecond, 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &straggling{random: rand.New(rand.NewPCG(1, 2)), few: 0.015}
				rt := transport.MustNew(transport.Config{Base: s, Hedge: c.hedge})
				const n = 10_000
				took := times(t, rt, c.method, n)
				extra := float64(s.sent-n) / n
				t.Logf("%s: p50 %v, p99 %v, %.2f %% more requests", name, took[n/2], took[n*99/100], 100*extra)
				require.Equal(t, 20*time.Millisecond, took[n/2])
				require.Equal(t, c.p99, took[n*99/100])
				require.LessOrEqual(t, extra, c.extra)
				sent, won := rt.Hedges()
				require.EqualValues(t, s.sent-n, sent)
				require.LessOrEqual(t, won, sent)
				require.LessOrEqual(t, s.ended, int(sent), "the loser is cancelled")
				require.GreaterOrEqual(t, s.ended, int(won))
			})
		})
	}
}

// Where all answers come to take longer, no more than the budget is sent.
func TestHedgeBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &straggling{random: rand.New(rand.NewPCG(1, 2))}
		rt := transport.MustNew(transport.Config{Base: s, Hedge: &transport.Hedge{}})
		_ = times(t, rt, http.MethodGet, 500)
		require.Equal(t, 500, s.sent)
		s.few = 1
		_ = times(t, rt, http.MethodGet, 200)
		sent, _ := rt.Hedges()
		require.LessOrEqual(t, sent, int64(10+200*0.05))
		require.Positive(t, sent)
	})
}

// scripted answers requests by their number, from 1.
type scripted struct {
	mu   sync.Mutex
	n    int
	call func(n int, r *http.Request) (*http.Response, error)
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	return s.call(n, r)
}

// known is how many requests make a transport know how long answers take.
const known = 40

// hedging is a transport that knows that answers take a second, and may send again.
func hedging(t *testing.T, c transport.Config, call func(n int, r *http.Request) (*http.Response, error)) *transport.Transport {
	t.Helper()
	c.Hedge = &transport.Hedge{Budget: 1}
	c.Base = &scripted{call: func(n int, r *http.Request) (*http.Response, error) {
		if n <= known {
			time.Sleep(time.Second)
			return respond(r)
		}
		return call(n-known, r)
	}}
	rt := transport.MustNew(c)
	for range known {
		_, err := send(t, rt, http.MethodGet, "")
		require.NoError(t, err)
	}
	return rt
}

func status(r *http.Request, code int) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: r}
}

// What comes of the two: the first answer counts, a failure only if the other one fails too.
func TestHedgeOutcomes(t *testing.T) {
	broken := errors.New("broken off")
	after := func(d time.Duration, r *http.Request, code int, err error) (*http.Response, error) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
		if err != nil {
			return nil, err
		}
		return status(r, code), nil
	}
	type end struct {
		took time.Duration
		code int
		err  error
	}
	for name, c := range map[string]struct {
		first, second end
		want          end
	}{
		"the first, before a second":    {end{time.Second, 200, nil}, end{}, end{time.Second, 200, nil}},
		"the first":                     {end{2 * time.Second, 200, nil}, end{5 * time.Second, 201, nil}, end{2 * time.Second, 200, nil}},
		"the second":                    {end{time.Hour, 200, nil}, end{time.Second, 201, nil}, end{2100*time.Millisecond + 1, 201, nil}},
		"the first, as the other fails": {end{5 * time.Second, 200, nil}, end{time.Second, 0, broken}, end{5 * time.Second, 200, nil}},
		"the first failed":              {end{2 * time.Second, 0, broken}, end{5 * time.Second, 201, nil}, end{6100*time.Millisecond + 1, 201, nil}},
		"the first was a failure":       {end{2 * time.Second, 500, nil}, end{5 * time.Second, 201, nil}, end{6100*time.Millisecond + 1, 201, nil}},
		"the other was a failure":       {end{5 * time.Second, 200, nil}, end{time.Second, 503, nil}, end{5 * time.Second, 200, nil}},
		"both failed":                   {end{2 * time.Second, 0, broken}, end{5 * time.Second, 0, io.ErrUnexpectedEOF}, end{6100*time.Millisecond + 1, 0, broken}},
		"both were failures":            {end{2 * time.Second, 500, nil}, end{5 * time.Second, 503, nil}, end{6100*time.Millisecond + 1, 500, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 100})
				rt := hedging(t, transport.Config{Limiter: limiter, Concurrency: &concurrency.Policy{Min: 9, Max: 9}}, func(n int, r *http.Request) (*http.Response, error) {
					e := c.first
					if n == 2 {
						e = c.second
					}
					return after(e.took, r, e.code, e.err)
				})
				left := limiter.AvailableTokens()
				start := time.Now()
				resp, err := send(t, rt, http.MethodGet, "")
				require.Equal(t, c.want.took, time.Since(start))
				require.ErrorIs(t, err, c.want.err)
				if c.want.err == nil {
					require.Equal(t, c.want.code, resp.StatusCode)
				}
				synctest.Wait()
				sent, _ := rt.Hedges()
				require.InDelta(t, left-1-float64(sent), limiter.AvailableTokens(), 0.001, "both have paid")
			})
		})
	}
}

// A caller that goes, or whose base panics, leaves nothing behind; a second request that
// panics or never returns is as good as none.
func TestHedgeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan int, 10)
		rt := hedging(t, transport.Config{}, func(n int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			gone <- n
			return nil, context.Cause(r.Context())
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://host.test/", nil)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		require.Len(t, gone, 2)

		rt = hedging(t, transport.Config{}, func(n int, r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			if n == 1 {
				panic("boom")
			}
			return respond(r)
		})
		require.PanicsWithValue(t, "boom", func() { _, _ = send(t, rt, http.MethodGet, "") })
		time.Sleep(time.Minute)

		for name, odd := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
			rt = hedging(t, transport.Config{}, func(n int, r *http.Request) (*http.Response, error) {
				if n == 2 {
					odd()
				}
				time.Sleep(5 * time.Second)
				return respond(r)
			})
			start := time.Now()
			_, err = send(t, rt, http.MethodGet, "")
			require.NoError(t, err, name)
			require.Equal(t, 5*time.Second, time.Since(start), name)
		}
	})
}

// A second request that still waits for a token is given up when the first has failed.
func TestHedgeWithoutToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken off")
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1.0 / 3600, BurstSize: known + 1})
		rt := hedging(t, transport.Config{Limiter: limiter}, func(n int, _ *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return nil, broken
		})
		start := time.Now()
		_, err := send(t, rt, http.MethodGet, "")
		require.ErrorIs(t, err, broken)
		require.Equal(t, 5*time.Second, time.Since(start))
		synctest.Wait()
		next, err := limiter.WouldTake(1)
		require.NoError(t, err)
		require.LessOrEqual(t, next, time.Hour, "nobody waits any more")
	})
}

// A body is sent as it is both times, the answer of the winner is read after the other was
// cancelled, and retries go on with either.
func TestHedgeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var bodies []string
		rt := hedging(t, transport.Config{Retrier: retry.MustNew(retry.Policy{MaxRetries: 1, Jitter: retry.JitterNone}), Breaker: &circuitbreaker.Policy{}},
			func(n int, r *http.Request) (*http.Response, error) {
				text, err := io.ReadAll(r.Body)
				mu.Lock()
				bodies = append(bodies, string(text))
				mu.Unlock()
				if err != nil {
					return nil, err
				}
				if n == 1 {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				time.Sleep(time.Second)
				resp := status(r, map[int]int{2: 200}[n])
				resp.Body = io.NopCloser(strings.NewReader("the answer"))
				return resp, nil
			})
		resp, err := send(t, rt, http.MethodPut, "an order")
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "the answer", string(text))
		require.NoError(t, resp.Body.Close())
		require.Equal(t, []string{"an order", "an order"}, bodies)
		_, won := rt.Hedges()
		require.EqualValues(t, 1, won)
	})
}

func TestHedgePolicy(t *testing.T) {
	for _, h := range []transport.Hedge{{Quantile: 0.5, Budget: 1}, {Quantile: 0.999, Budget: 1e-9}, {}} {
		_, err := transport.New(transport.Config{Hedge: &h})
		require.NoError(t, err)
	}
	for says, h := range map[string]transport.Hedge{
		"Hedge.Quantile": {Quantile: 1}, "at least 0.5": {Quantile: 0.49}, "Hedge.Budget": {Budget: 1.01}, "above 0": {Budget: -0.1},
	} {
		_, err := transport.New(transport.Config{Hedge: &h})
		require.ErrorIs(t, err, transport.ErrInvalid)
		require.ErrorContains(t, err, says)
	}
}
