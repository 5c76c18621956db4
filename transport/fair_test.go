package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/scenarios"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/transport"
)

// callers ask so many hosts for a minute, and tell the longest that one of them waited
// and when the requests were sent, in all and to each host.
func callers(t *testing.T, rt http.RoundTripper, hosts, each int) (longest time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	for host := range hosts {
		for range each {
			wg.Go(func() {
				for ctx.Err() == nil {
					begun := time.Now()
					resp, err := rt.RoundTrip(request(t, fmt.Sprintf("h%d.test", host)).WithContext(ctx))
					if err == nil {
						_ = resp.Body.Close()
					}
					mu.Lock()
					longest = max(longest, time.Since(begun))
					mu.Unlock()
				}
			})
		}
	}
	time.Sleep(time.Minute)
	stop()
	wg.Wait()
	return longest
}

// With a limit for all and one for each host, every request gets its turn, no limit is
// exceeded, and the tighter one is used up.
func TestBothLimitsAreFair(t *testing.T) {
	cases := []struct {
		all, perHost float64
		hosts, each  int
	}{{10, 8, 2, 10}, {100, 20, 10, 5}, {10, 10, 2, 5}, {10, 9, 3, 10}, {100, 8, 3, 10}, {10, 50, 3, 5}}
	for _, c := range cases[:scenarios.Fewer(len(cases))] {
		for _, takes := range []time.Duration{0, 5 * time.Millisecond, 10 * time.Millisecond} {
			t.Run(fmt.Sprint(c, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := map[string][]time.Time{}
					var mu sync.Mutex
					rt := transport.MustNew(transport.Config{
						Base: baseFunc(func(r *http.Request) (*http.Response, error) {
							mu.Lock()
							sent[""] = append(sent[""], time.Now())
							sent[r.URL.Host] = append(sent[r.URL.Host], time.Now())
							mu.Unlock()
							time.Sleep(takes)
							return respond(r)
						}),
						Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: c.all, BurstSize: 1}),
						PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: c.perHost, BurstSize: 1}, 0),
					})
					longest := callers(t, rt, c.hosts, c.each)
					rate := min(c.all, float64(c.hosts)*c.perHost)
					turn := time.Duration(float64(c.hosts*c.each) / rate * float64(time.Second))
					t.Logf("longest %v, a fair turn is %v, %d sent", longest, turn, len(sent[""]))
					require.LessOrEqual(t, longest, 2*turn+takes)
					require.Greater(t, float64(len(sent[""])), 0.98*60*rate)
					for host, at := range sent {
						least := time.Duration(float64(time.Second) / c.perHost)
						if host == "" {
							least = time.Duration(float64(time.Second) / c.all)
						}
						for i := 1; i < len(at); i++ {
							require.GreaterOrEqual(t, at[i].Sub(at[i-1]), least-1, host)
						}
					}
				})
			})
		}
	}
}
