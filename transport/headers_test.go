package transport

import (
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// The ways in which services say how long to wait, and those that say nothing.
func TestRetryAfterForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00:00 UTC
		for value, want := range map[string]time.Duration{
			"0": 0, "1": time.Second, " 2.5 ": 2500 * time.Millisecond, "1e300": math.MaxInt64,
			"6m0s": 6 * time.Minute, "20ms": 20 * time.Millisecond, "0s": 0,
			"Sat, 01 Jan 2000 00:00:10 GMT": 10 * time.Second, "Sat, 01 Jan 2000 01:00:10 +0100": 10 * time.Second,
			"2000-01-01T00:00:10Z": 10 * time.Second, "Saturday, 01-Jan-00 00:00:10 GMT": 10 * time.Second,
			"Sat Jan  1 00:00:10 2000": 10 * time.Second, "Sat, 01 Jan 1980 00:00:00 GMT": 0,
		} {
			after, ok := retryAfter(http.Header{"Retry-After": {value}})
			assert.True(t, ok, value)
			assert.Equal(t, want, after, value)
		}
		for _, value := range []string{"", "-1", "-5s", "soon", "NaN", "Inf", "5 apples"} {
			_, ok := retryAfter(http.Header{"Retry-After": {value}})
			assert.False(t, ok, value)
		}
		after, _ := retryAfter(http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:10 GMT"}, "Date": {"Sat, 01 Jan 2000 00:00:07 GMT"}})
		assert.Equal(t, 3*time.Second, after, "by the host's own time")
	})
}

// What services say of how many requests are left.
func TestRemaining(t *testing.T) {
	type told struct {
		left  float64
		reset time.Duration
	}
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			header map[string]string
			want   told
		}{
			{map[string]string{"RateLimit": `"burst";r=5;t=1, "day";r=100;t=3600`}, told{5, time.Second}},
			{map[string]string{"RateLimit": `"day";r=100;t=3600, "burst";r=5;t=1`}, told{5, time.Second}},
			{map[string]string{"RateLimit": `"a";r=0;t=5, "b";r=0;t=120`}, told{0, 2 * time.Minute}},
			{map[string]string{"RateLimit": `"a";r=0;t=120, "b";r=0;t=5`}, told{0, 2 * time.Minute}},
			{map[string]string{"RateLimit": "limit=100, remaining=0, reset=30"}, told{0, 30 * time.Second}},
			{map[string]string{"RateLimit": `"a";r=-1;t=5, "b";r=7;t=1`}, told{7, time.Second}},
			{map[string]string{"RateLimit-Remaining": "3", "RateLimit-Reset": "9"}, told{3, 9 * time.Second}},
			{map[string]string{"X-RateLimit-Remaining": " 0 ", "X-RateLimit-Reset": "6m0s"}, told{0, 6 * time.Minute}},
			{map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5", "X-RateLimit-Reset-After": "1.5"}, told{0, 1500 * time.Millisecond}},
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "946684810"}, told{1, 10 * time.Second}},    // since 1970
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "946684810000"}, told{1, 10 * time.Second}}, // in ms
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "946684790"}, told{1, 0}},                   // it has come
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "946684790000"}, told{1, 0}},
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "473342400"}, told{1, 0}}, // from here on since 1970
			{map[string]string{"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "473342399"}, told{1, 473342399 * time.Second}},
			{map[string]string{"RateLimit-Remaining": "no", "X-RateLimit-Remaining": "2", "X-RateLimit-Reset": "1"}, told{2, time.Second}},
			{map[string]string{"RateLimit-Remaining": "-1", "RateLimit-Reset": "1", "X-RateLimit-Remaining": "2", "X-RateLimit-Reset": "1"}, told{2, time.Second}},
		} {
			h := http.Header{}
			for key, value := range c.header {
				h.Set(key, value)
			}
			left, reset, ok := remaining(h)
			assert.True(t, ok, c.header)
			assert.Equal(t, c.want, told{left, reset}, c.header)
		}
		for _, h := range []http.Header{
			{}, {"Ratelimit": {`"a";r=0`}}, {"Ratelimit": {`"a";t=5`}}, {"Ratelimit": {"nonsense;;=;r=x"}},
			{"Ratelimit-Remaining": {"0"}}, {"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"-5"}},
			{"Ratelimit-Reset": {"5"}}, {"Ratelimit-Remaining": {"NaN"}, "Ratelimit-Reset": {"5"}},
			{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"NaN"}},
		} {
			_, _, ok := remaining(h)
			assert.False(t, ok, h)
		}
	})
}
