package transport

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter returns what a Retry-After says (RFC 9110, 10.2.3): seconds or a date. Some
// hosts write a duration ("30s"), or a date in another way.
func retryAfter(h http.Header) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if after, ok := seconds(value); ok {
		return after, true
	}
	if after, ok := duration(value); ok {
		return after, true
	}
	for _, layout := range []string{http.TimeFormat, time.RFC1123, time.RFC1123Z, time.RFC3339, time.RFC850, time.ANSIC} {
		if at, err := time.Parse(layout, value); err == nil {
			return max(0, at.Sub(date(h))), true
		}
	}
	return 0, false
}

// duration reads one with units: 6m0s.
func duration(value string) (time.Duration, bool) {
	d, err := time.ParseDuration(value)
	return d, err == nil && d >= 0 && strings.ContainsAny(value, "hms")
}

// date is the host's time, by which its other dates are to be taken.
func date(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}

// seconds reads a number of seconds, which need not be whole, as a duration.
func seconds(value string) (time.Duration, bool) {
	s, err := strconv.ParseFloat(value, 64)
	if err != nil || !(s >= 0) || math.IsInf(s, 1) {
		return 0, false
	}
	if s > math.MaxInt64/1e9 {
		return math.MaxInt64, true
	}
	return time.Duration(s * 1e9), true
}

// remaining returns how many requests are left, and when there are more.
func remaining(h http.Header) (left float64, reset time.Duration, ok bool) {
	if left, reset, ok = structured(h.Values("RateLimit")); ok {
		return left, reset, true
	}
	for _, prefix := range []string{"RateLimit-", "X-RateLimit-", "X-Rate-Limit-"} {
		value := h.Get(prefix + "Remaining")
		if value == "" {
			continue
		}
		left, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(left >= 0) {
			continue
		}
		if after, ok := seconds(h.Get(prefix + "Reset-After")); ok {
			return left, after, true
		}
		if after, ok := resetOf(h, h.Get(prefix+"Reset")); ok {
			return left, after, true
		}
	}
	return 0, 0, false
}

// resetOf reads a reset: seconds from now, or since 1970 if they come near to the
// host's own time, or milliseconds.
func resetOf(h http.Header, value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if after, ok := duration(value); ok {
		return after, true
	}
	s, err := strconv.ParseFloat(value, 64)
	if err != nil || !(s >= 0) {
		return 0, false
	}
	const tenYears = 3e8
	now := date(h)
	since := max(float64(now.Unix())/2, tenYears)
	switch {
	case s >= 1000*since:
		return max(0, time.UnixMilli(int64(min(s, math.MaxInt64/2))).Sub(now)), true
	case s >= since:
		return max(0, time.Unix(int64(s), 0).Sub(now)), true
	}
	return seconds(value)
}

// structured reads the RateLimit field of draft-ietf-httpapi-ratelimit-headers: a
// list of quotas, each with r, what is left of it, and t, the seconds until there
// is more: "burst";r=5;t=1, "day";r=100;t=3600. The one counts that has least left, and
// of two that are used up the one that takes longer.
func structured(fields []string) (left float64, reset time.Duration, ok bool) {
	field, separator := strings.Join(fields, ","), ","
	if !strings.Contains(field, ";") { // limit=100, remaining=0, reset=30, of an early draft
		field, separator = strings.ReplaceAll(field, ",", ";"), "\x00"
	}
	left = math.Inf(1)
	for quota := range strings.SplitSeq(field, separator) {
		r, t, known := remainingOf(quota)
		if known && (r < left || r == left && t > reset) {
			left, reset, ok = r, t, true
		}
	}
	return left, reset, ok
}

// remainingOf reads one quota: what is left of it, and the time until there is more.
func remainingOf(quota string) (r float64, t time.Duration, known bool) {
	r = math.Inf(1)
	for parameter := range strings.SplitSeq(quota, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		switch key {
		case "r", "remaining":
			if n, err := strconv.ParseFloat(value, 64); err == nil && n >= 0 {
				r = n
			}
		case "t", "reset":
			t, known = seconds(value)
		}
	}
	return r, t, known && !math.IsInf(r, 1)
}
