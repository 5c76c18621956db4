package jobs

import (
	"fmt"
	"time"

	"github.com/amorsize/amorsize/progress"
)

// Short writes a time with three digits: 1.02 ms, 112 ms, 3.40 s, 3 m 44 s.
func Short(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Short(-d)
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return digits(float64(d)/1e3, "µs")
	case d < time.Second:
		return digits(float64(d)/1e6, "ms")
	case d < time.Minute:
		return digits(d.Seconds(), "s")
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d m", d/time.Hour, d%time.Hour/time.Minute)
}

func digits(x float64, unit string) string {
	switch {
	case x < 9.995:
		return fmt.Sprintf("%.2f %s", x, unit)
	case x < 99.95:
		return fmt.Sprintf("%.1f %s", x, unit)
	}
	return fmt.Sprintf("%.0f %s", x, unit)
}

// Bytes writes a number of bytes: 512 B, 10.9 MB.
func Bytes(n int64) string {
	x, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if x < 999.5 {
			break
		}
		x, unit = x/1000, next
	}
	if unit == "B" {
		return fmt.Sprintf("%.0f B", x)
	}
	return digits(x, unit)
}

// Count is [progress.Count].
func Count(n int) string { return progress.Count(n) }

// ShortSeconds is Short of a number of seconds.
func ShortSeconds(s float64) string { return Short(time.Duration(s * float64(time.Second))) }
