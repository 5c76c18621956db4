package policies

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func bad(flag, value, want string) error {
	return fmt.Errorf("%w: --%s %q: must be %s", ErrFlag, flag, value, want)
}

// Rate is a number of calls per second, or a rate to be found.
type Rate struct {
	PerSecond float64 // 0 is no limit
	Auto      bool
}

// ParseRate reads 50/s, 3000/m, 10/h and auto. A number without a unit is an error: services state
// their limits per minute as often as per second.
func ParseRate(text string) (Rate, error) { return parseRate("rate", text) }

const wantRate = "a rate above 0, such as 50/s, 3000/m or 10/h"

func parseRate(flag, text string) (Rate, error) {
	const want = wantRate + ", or auto"
	switch text {
	case "":
		return Rate{}, nil
	case "auto":
		return Rate{Auto: true}, nil
	}
	number, unit, has := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 1) {
		return Rate{}, bad(flag, text, want)
	}
	if !has {
		return Rate{}, bad(flag, text, fmt.Sprintf("a rate with a unit: %[1]s/s, %[1]s/m or %[1]s/h", number))
	}
	switch unit {
	case "s":
	case "m":
		n /= 60
	case "h":
		n /= 3600
	default:
		return Rate{}, bad(flag, text, want)
	}
	return Rate{PerSecond: n}, nil
}

// Timeout is a time, or a multiple of the usual time of an item.
type Timeout struct {
	Fixed time.Duration
	Times float64
}

// ParseTimeout reads 30s and 5x.
func ParseTimeout(text string) (Timeout, error) {
	const want = "a duration above 0 such as 30s, or a multiple of the usual duration such as 5x (at least 1x)"
	if text == "" {
		return Timeout{}, nil
	}
	if times, ok := strings.CutSuffix(text, "x"); ok {
		n, err := strconv.ParseFloat(times, 64)
		if err != nil || !(n >= 1) || n > 1e6 {
			return Timeout{}, bad("timeout", text, want)
		}
		return Timeout{Times: n}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return Timeout{}, bad("timeout", text, want)
	}
	return Timeout{Fixed: d}, nil
}

// ParseBackoff reads 200ms..30s and 200ms.
func ParseBackoff(text string) (first, most time.Duration, err error) {
	low, high, both := strings.Cut(text, "..")
	if first, err = time.ParseDuration(low); err == nil && both {
		most, err = time.ParseDuration(high)
	}
	if err == nil && !both {
		most = max(first, 30*time.Second)
	}
	if err != nil || first <= 0 || most < first {
		return 0, 0, bad("backoff", text, "the first and the longest delay, such as 200ms..30s")
	}
	return first, most, nil
}

// ParseShare reads 20%.
func ParseShare(flag, text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n > 0) || n > 100 {
		return 0, bad(flag, text, "a share above 0 % up to 100 %, such as 20%")
	}
	return n / 100, nil
}

// Halt says after how many failures a run is to end.
type Halt struct {
	Count int
	Share float64 // of what was run, from 20 items on
}

// ParseHalt reads 10 and 5%.
func ParseHalt(text string) (Halt, error) {
	if text == "" {
		return Halt{}, nil
	}
	if strings.HasSuffix(text, "%") {
		share, err := ParseShare("halt", text)
		return Halt{Share: share}, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return Halt{}, bad("halt", text, "a number of failures of at least 1, or a share such as 5%")
	}
	return Halt{Count: n}, nil
}

// haltFrom is the number of items from which a share of them is meaningful.
const haltFrom = 20

// Reached reports whether there are enough failures.
func (h Halt) Reached(failed, done int) bool {
	return h.Count > 0 && failed >= h.Count ||
		h.Share > 0 && done >= haltFrom && float64(failed) >= h.Share*float64(done)
}

// breakerFlag is what --breaker says.
type breakerFlag struct {
	off     bool
	inARow  int
	share   float64
	minimum int
}

// parseBreaker reads off, 8 and 50%/20.
func parseBreaker(text string) (breakerFlag, error) {
	const want = "off, a number of failures in a row such as 8, or a share of a least number of calls such as 50%/20"
	switch {
	case text == "off" || text == "":
		return breakerFlag{off: true}, nil
	case strings.Contains(text, "%"):
		shareText, minimumText, both := strings.Cut(text, "/")
		share, err := ParseShare("breaker", shareText)
		if err != nil {
			return breakerFlag{}, bad("breaker", text, want)
		}
		f := breakerFlag{share: share, minimum: 20}
		if both {
			if f.minimum, err = strconv.Atoi(minimumText); err != nil || f.minimum < 1 {
				return breakerFlag{}, bad("breaker", text, want)
			}
		}
		return f, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return breakerFlag{}, bad("breaker", text, want)
	}
	return breakerFlag{inARow: n}, nil
}
