package transport

import (
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
			"0": 0, "1": time.Second, " 2.5 ": 2500 * time.Millisecond, "315360000": longest,
			"6m0s": 6 * time.Minute, "20ms": 20 * time.Millisecond, "0s": 0, "87600h": longest,
			"Sat, 01 Jan 2000 00:00:10 GMT": 10 * time.Second, "Sat, 01 Jan 2000 01:00:10 +0100": 10 * time.Second,
			"Sat, 01 Jan 2000 00:00:10 CET": 10 * time.Second, // no zone that is known by its name
			"2000-01-01T00:00:10Z":          10 * time.Second, "Saturday, 01-Jan-00 00:00:10 GMT": 10 * time.Second,
			"2000-01-01T01:00:10+01:00": 10 * time.Second, "2000-01-01T00:00:10.5Z": 10500 * time.Millisecond,
			"Sat Jan  1 00:00:10 2000": 10 * time.Second, "Sat, 01 Jan 1980 00:00:00 GMT": 0,
		} {
			after, said, nonsense := retryAfter(http.Header{"Retry-After": {value}})
			assert.Equal(t, []any{want, true, false}, []any{after, said, nonsense}, value)
		}
		for _, value := range []string{
			"", " ", "-1", "-5s", "soon", "NaN", "Inf", "5 apples", "1e300", "100000000000000000000", "315360001", "87601h",
			"Fri, 31 Dec 9999 23:59:59 GMT",
		} {
			after, said, nonsense := retryAfter(http.Header{"Retry-After": {value}})
			assert.Equal(t, []any{time.Duration(0), false, true}, []any{after, said, nonsense}, value)
		}
		_, said, nonsense := retryAfter(http.Header{})
		assert.False(t, said || nonsense, "nothing is not nonsense")
		after, _, _ := retryAfter(http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:10 GMT"}, "Date": {"Sat, 01 Jan 2000 00:00:07 GMT"}})
		assert.Equal(t, 3*time.Second, after, "by the host's own time")
	})
}

// Azure and OpenAI say it in milliseconds too, which is the more exact.
func TestRetryAfterMs(t *testing.T) {
	for _, c := range []struct {
		ms, seconds    string
		after          time.Duration
		said, nonsense bool
	}{
		{"1500", "2", 1500 * time.Millisecond, true, false},
		{"0.5", "", 500 * time.Microsecond, true, false},
		{"-1", "2", 2 * time.Second, true, true},
		{"1e20", "", 0, false, true},
		{"", "2", 2 * time.Second, true, false},
		{"315360000000", "", longest, true, false},
		{"315360000001", "", 0, false, true},
	} {
		h := http.Header{}
		if c.ms != "" {
			h.Set("retry-after-ms", c.ms)
		}
		if c.seconds != "" {
			h.Set("retry-after", c.seconds)
		}
		after, said, nonsense := retryAfter(h)
		assert.Equal(t, []any{c.after, c.said, c.nonsense}, []any{after, said, nonsense}, h)
	}
}
