package transport

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest is the longest time that is accepted from a header, largest the largest number of
// requests or tokens. Larger values are ignored.
const (
	longest = 10 * 365 * 24 * time.Hour
	largest = 1e15
)

// retryAfter returns how long the host asks to wait, in Retry-After-Ms (Azure, OpenAI) or
// Retry-After; said is false if there is neither; nonsense is true if the value can't be
// parsed.
func retryAfter(h http.Header) (after time.Duration, said, nonsense bool) {
	if value := h.Get("Retry-After-Ms"); value != "" {
		ms, ok := number(value, longest.Seconds()*1000)
		if after = time.Duration(ms * 1e6); ok {
			return after, true, false
		}
		nonsense = true
	}
	values := h.Values("Retry-After")
	if len(values) == 0 {
		return 0, false, nonsense
	}
	if after, said = wait(h, values[0]); said {
		return after, true, nonsense
	}
	return 0, false, true
}

// wait reads a Retry-After (RFC 9110, 10.2.3): seconds or a date. Some hosts write a
// duration ("30s"), or a date in another way.
func wait(h http.Header, value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if s, ok := number(value, longest.Seconds()); ok {
		return time.Duration(s * 1e9), true
	}
	if after, ok := duration(value); ok {
		return after, true
	}
	return until(h, value)
}

// number parses a number that is not negative, and at most most.
func number(value string, most float64) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return n, err == nil && n >= 0 && n <= most // NaN is neither
}

// duration parses a duration with units: 6m0s.
func duration(value string) (time.Duration, bool) {
	d, err := time.ParseDuration(value)
	return d, err == nil && d >= 0 && d <= longest && strings.ContainsAny(value, "hms")
}

// until parses a date, in any of the forms that hosts use, and returns the time until then:
// 0 if it has passed. A zone that isn't known by its name is taken for UTC.
func until(h http.Header, value string) (time.Duration, bool) {
	for _, layout := range []string{http.TimeFormat, time.RFC1123, time.RFC1123Z, time.RFC3339, time.RFC850, time.ANSIC} {
		if at, err := time.Parse(layout, value); err == nil {
			return since(h, at)
		}
	}
	return 0, false
}

// since returns the time from the host's present time until at.
func since(h http.Header, at time.Time) (time.Duration, bool) {
	left := max(0, at.Sub(date(h)))
	return left, left <= longest
}

// date is the host's present time, to which its other dates are relative.
func date(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}

// reset parses when a limit is reset: seconds from now, or since 1970 if they are near the
// host's own time, milliseconds since 1970, a duration, or a date.
func reset(h http.Header, value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	s, ok := number(value, math.MaxInt64/2)
	if !ok {
		if after, ok := duration(value); ok {
			return after, true
		}
		return until(h, value)
	}
	const tenYears = 3e8
	epoch := max(float64(date(h).Unix())/2, tenYears)
	switch {
	case s >= 1000*epoch:
		return since(h, time.UnixMilli(int64(s)))
	case s >= epoch:
		return since(h, time.UnixMilli(int64(s*1000)))
	}
	return time.Duration(s * 1e9), s <= longest.Seconds()
}
