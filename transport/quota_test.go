package transport

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

func left(n float64, reset time.Duration) quota { return quota{known: true, left: n, reset: reset} }

// fields are a header by pairs of a name and a value.
func fields(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// What services say of how many requests and tokens are left, by dialect.
func TestDialects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00:00 UTC, 946684800 since 1970
		for _, c := range []struct {
			dialect          string
			header           http.Header
			requests, tokens quota
		}{
			{"IETF, a list", fields("RateLimit", `"burst";r=5;t=1, "day";r=100;t=3600`), left(5, time.Second), quota{}},
			{"IETF, in two lines", fields("RateLimit", `"day";r=100;t=3600`, "RateLimit", `"burst";r=5;t=1`), left(5, time.Second), quota{}},
			{"IETF, both used up", fields("RateLimit", `"a";r=0;t=5, "b";r=0;t=120`), left(0, 2*time.Minute), quota{}},
			{"IETF, both used up", fields("RateLimit", `"a";r=0;t=120, "b";r=0;t=5`), left(0, 2*time.Minute), quota{}},
			{"IETF, no time", fields("RateLimit", `"a";r=0`), left(0, 0), quota{}},
			{"IETF, partitions", fields("RateLimit", `"a";r=7;t=9;pk=:sdfjLJUOUH==:`), left(7, 9*time.Second), quota{}},
			{"IETF, other units", fields("RateLimit", `"bytes";r=0;t=60,"a";r=7;t=9`, "RateLimit-Policy", `"bytes";q=1000;qu="content-bytes", "a";q=100;qu="requests"`), left(7, 9*time.Second), quota{}},
			{"IETF, one by name only", fields("RateLimit", `"a", "b";r=2;t=1`), left(2, time.Second), quota{}},
			{"IETF -03", fields("RateLimit", "limit=100, remaining=0, reset=30"), left(0, 30*time.Second), quota{}},
			{"IETF -00", fields("RateLimit-Remaining", "3", "RateLimit-Reset", "9"), left(3, 9*time.Second), quota{}},
			{"seconds from now", fields("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", " 9 "), left(0, 9*time.Second), quota{}},
			{"since 1970", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684810"), left(1, 10*time.Second), quota{}},
			{"since 1970, a fraction", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684810.25"), left(1, 10250*time.Millisecond), quota{}},
			{"since 1970, by its Date", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684810", "Date", "Sat, 01 Jan 2000 00:00:04 GMT"), left(1, 6*time.Second), quota{}},
			{"since 1970, in ms", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684810000"), left(1, 10*time.Second), quota{}},
			{"it has come", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684790"), left(1, 0), quota{}},
			{"it has come, in ms", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "946684790000"), left(1, 0), quota{}},
			{"from here on since 1970", fields("X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "473342400"), left(1, 0), quota{}},
			{"a duration", fields("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "6m0s"), left(0, 6*time.Minute), quota{}},
			{"RFC 3339", fields("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "2000-01-01T00:00:07Z"), left(0, 7*time.Second), quota{}},
			{"no reset", fields("X-RateLimit-Remaining", "0"), left(0, 0), quota{}},
			{"Reddit", fields("X-Ratelimit-Remaining", "598.5", "X-Ratelimit-Reset", "120"), left(598.5, 2*time.Minute), quota{}},
			{"Discord", fields("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "946684805", "X-RateLimit-Reset-After", "1.5"), left(0, 1500*time.Millisecond), quota{}},
			{"X", fields("X-Rate-Limit-Remaining", "4", "X-Rate-Limit-Reset", "946684810"), left(4, 10*time.Second), quota{}},
			{"RapidAPI", fields("X-RateLimit-Requests-Remaining", "8", "X-RateLimit-Requests-Reset", "60"), left(8, time.Minute), quota{}},
			{
				"OpenAI", fields("x-ratelimit-remaining-requests", "59", "x-ratelimit-reset-requests", "1s", "x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "6m0.5s"),
				left(59, time.Second), left(0, 6*time.Minute+500*time.Millisecond),
			},
			{
				"Anthropic", fields("anthropic-ratelimit-requests-remaining", "49", "anthropic-ratelimit-requests-reset", "2000-01-01T00:00:01Z",
					"anthropic-ratelimit-input-tokens-remaining", "4000", "anthropic-ratelimit-input-tokens-reset", "2000-01-01T00:00:02Z",
					"anthropic-ratelimit-output-tokens-remaining", "0", "anthropic-ratelimit-output-tokens-reset", "2000-01-01T00:00:03Z",
					"anthropic-ratelimit-tokens-remaining", "4000", "anthropic-ratelimit-tokens-reset", "2000-01-01T00:00:02Z"),
				left(49, time.Second), left(0, 3*time.Second),
			},
			{"Shopify", fields("X-Shopify-Shop-Api-Call-Limit", "40/40"), left(0, 500*time.Millisecond), quota{}},
			{"Shopify, some left", fields("X-Shopify-Shop-Api-Call-Limit", "32/40"), left(8, 500*time.Millisecond), quota{}},
			{"Shopify, beyond it", fields("X-Shopify-Shop-Api-Call-Limit", "41/40"), left(0, 500*time.Millisecond), quota{}},
			{"several", fields("RateLimit-Remaining", "3", "RateLimit-Reset", "9", "X-RateLimit-Remaining", "2", "X-RateLimit-Reset", "5"), left(2, 5*time.Second), quota{}},
			{"none", fields("RateLimit-Reset", "5", "RateLimit-Limit", "100"), quota{}, quota{}},
			{"none, by its name", fields("RateLimit", `"a";t=5`), quota{}, quota{}},
		} {
			assert.Equal(t, told{requests: c.requests, tokens: c.tokens}, listen(c.header), "%s %v", c.dialect, c.header)
		}
	})
}

// What says nothing is counted, and what stands beside it counts.
func TestNonsense(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		want   told
	}{
		{fields("RateLimit", `"a";r=-1;t=5, "b";r=7;t=1`), told{left(7, time.Second), quota{}, 1}},
		{fields("RateLimit", `"a";r=7;t=soon`), told{left(7, 0), quota{}, 1}},
		{fields("RateLimit", `nonsense;;=;r=x;t=-1`), told{quota{}, quota{}, 2}},
		{fields("RateLimit-Remaining", "no", "X-RateLimit-Remaining", "2", "X-RateLimit-Reset", "1"), told{left(2, time.Second), quota{}, 1}},
		{fields("RateLimit-Remaining", "-1"), told{quota{}, quota{}, 1}},
		{fields("RateLimit-Remaining", ""), told{quota{}, quota{}, 1}},
		{fields("RateLimit-Remaining", "NaN"), told{quota{}, quota{}, 1}},
		{fields("RateLimit-Remaining", "100000000000000000000"), told{quota{}, quota{}, 1}},
		{fields("RateLimit-Remaining", "0", "RateLimit-Reset", "-5"), told{left(0, 0), quota{}, 1}},
		{fields("RateLimit-Remaining", "0", "RateLimit-Reset", "99999999999999999999"), told{left(0, 0), quota{}, 1}},
		{fields("RateLimit-Remaining", "0", "RateLimit-Reset", "2099-01-01T00:00:00Z"), told{left(0, 0), quota{}, 1}},
		{fields("X-RateLimit-Remaining", "0", "X-RateLimit-Reset-After", "x", "X-RateLimit-Reset", "3"), told{left(0, 3*time.Second), quota{}, 1}},
		{fields("X-Shopify-Shop-Api-Call-Limit", "40"), told{quota{}, quota{}, 1}},
		{fields("X-Shopify-Shop-Api-Call-Limit", "x/40"), told{quota{}, quota{}, 1}},
		{fields("x-ratelimit-remaining-tokens", "many"), told{quota{}, quota{}, 1}},
	} {
		assert.Equal(t, c.want, listen(c.header), c.header)
	}
}

// Tokens that a host says are left are told to their limiter, and requests to theirs; what is
// nonsense is counted.
func TestWhatIsLeftIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 10})
		tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 60_000})
		rt := MustNew(Config{Limiter: requests, Tokens: tokens})
		answer := func(pairs ...string) { rt.heed("h", &http.Response{Header: fields(pairs...)}) }
		answer("x-ratelimit-remaining-requests", "4", "x-ratelimit-remaining-tokens", "900", "retry-after", "-1", "ratelimit-remaining", "?")
		require.EqualValues(t, 4, requests.AvailableTokens())
		require.EqualValues(t, 900, tokens.AvailableTokens())
		require.EqualValues(t, 2, rt.Nonsense())

		answer("ratelimit-remaining", "0")
		require.EqualValues(t, 4, requests.AvailableTokens(), "for how long isn't said")
		answer("x-shopify-shop-api-call-limit", "40/40")
		answer("x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "2m0s")
		start := time.Now()
		require.NoError(t, requests.Acquire(t.Context()))
		require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
		require.LessOrEqual(t, time.Since(start), 550*time.Millisecond)
		require.NoError(t, tokens.Acquire(t.Context()))
		require.GreaterOrEqual(t, time.Since(start), 2*time.Minute)
		require.LessOrEqual(t, time.Since(start), 133*time.Second)
		require.EqualValues(t, 2, rt.Nonsense())
	})
}

// No header can panic, have more sent than the limiter allows, or have it stand still for
// longer than its policy bounds.
func FuzzHeaders(f *testing.F) {
	names := []string{"Retry-After", "Retry-After-Ms", "Ratelimit", "Ratelimit-Policy", "X-Shopify-Shop-Api-Call-Limit", "Date", "X-Should-Retry"}
	for _, d := range dialects {
		names = append(append(names, d.remaining), d.resets...)
	}
	for i := range names {
		for _, value := range []string{"0", "-1", "1e20", `"a";r=0;t=9`, "6m0s", "40/40", "2000-01-01T00:00:10Z", "946684810"} {
			f.Add(i, value, i+1, value)
		}
	}
	f.Fuzz(func(t *testing.T, i int, a string, k int, b string) {
		h := http.Header{}
		for n, value := range map[int]string{i: a, k: b} {
			h.Add(names[uint(n)%uint(len(names))], value)
		}
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5, MaxPause: time.Minute})
			require.True(t, l.TryAcquireN(2))
			rt := MustNew(Config{Limiter: l, Tokens: l})
			resp := &http.Response{StatusCode: http.StatusTooManyRequests, Header: h}
			v := Usual(resp)
			require.True(t, v.After >= 0 && v.After <= longest)
			l.Feedback(&ThrottledError{StatusError{Code: resp.StatusCode}, v.After})
			rt.heed("h", resp)
			require.LessOrEqual(t, l.AvailableTokens(), 3.0)
			r, err := l.Reserve(1)
			require.NoError(t, err)
			require.LessOrEqual(t, r.Delay(), 66*time.Second+100*time.Millisecond)
			r.Cancel()
		})
	})
}
