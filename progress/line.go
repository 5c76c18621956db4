package progress

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/amorsize/amorsize"
)

// Line has the parts of a line of progress.
type Line struct {
	Name        string // first in the line; empty for none
	Done, Total int    // Total is -1 if it is not known
	Rate        float64
	Unit        string // what InFlight counts: "slot", "call"
	InFlight    int    // 0 is not shown
	Retried     int
	Failed      int
	Notes       []string      // after those, such as "throttled×3"
	Paused      string        // why the run is paused; empty if it isn't
	Remaining   time.Duration // 0 if it is not known
	Bar         bool          // a bar, where there is room
}

// narrow is the least width with room for a bar.
const narrow = 70

// Of returns the line of a run.
func Of(p amorsize.Progress) Line {
	l := Line{
		Done: p.Completed, Total: p.Total, Rate: p.Rate, Unit: "call", InFlight: p.Workers,
		Failed: p.Failed, Remaining: p.Remaining, Bar: true,
	}
	if p.Now.Limit > 0 {
		l.InFlight = p.Now.InFlight // other calls wait for policies
	}
	if p.Calls == nil {
		return l
	}
	l.Retried = int(p.Calls.Retried)
	if n := p.Calls.Failed.Overloaded; n > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("refused×%d", n))
	}
	if len(p.Calls.Policies) > 0 {
		l.Paused, _ = p.Explain()
		l.Paused = strings.TrimSuffix(l.Paused, ".")
	}
	return l
}

// Text returns the line, laid out for a number of columns, at time now. Only [Fit] cuts
// it.
func (l Line) Text(columns int, now time.Time) string {
	name := ""
	if l.Name != "" {
		name = printable(l.Name) + ": "
	}
	if l.Paused != "" {
		return " " + name + l.count() + " · paused: " + printable(l.Paused)
	}
	parts := []string{name + l.count()}
	if l.Bar && l.Total > 0 && columns >= narrow {
		share := float64(l.Done) / float64(l.Total)
		parts[0] += " " + bar(share, 20) + fmt.Sprintf(" %3.0f %%", 100*share)
	}
	if l.Rate > 0 {
		parts = append(parts, PerSecond(l.Rate))
	}
	if l.InFlight > 0 {
		parts = append(parts, Plural(l.InFlight, cmp.Or(l.Unit, "call")))
	}
	if l.Retried > 0 {
		parts = append(parts, fmt.Sprintf("%d retried", l.Retried))
	}
	if l.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", l.Failed))
	}
	parts = append(parts, l.Notes...)
	if l.Remaining > 0 {
		parts = append(parts, ETA(l.Remaining, now))
	}
	return " " + strings.Join(parts, "  ")
}

func (l Line) count() string {
	if l.Total < 0 {
		return Count(l.Done) + " done, reading…"
	}
	return Count(l.Done) + "/" + Count(l.Total)
}

// ETA says how much longer something takes, and when it ends.
func ETA(left time.Duration, now time.Time) string {
	if left >= 24*time.Hour {
		return fmt.Sprintf("ETA %.1f days (%s)", left.Hours()/24, now.Add(left).Format("Jan 2 15:04"))
	}
	return fmt.Sprintf("ETA %d:%02d (%s)", left/time.Minute, left%time.Minute/time.Second, now.Add(left).Format("15:04:05"))
}

var eighths = []rune(" ▏▎▍▌▋▊▉")

func bar(share float64, width int) string {
	full := min(max(share, 0), 1) * float64(width)
	whole := int(full)
	text := strings.Repeat("█", whole)
	if whole < width {
		text += string(eighths[int((full-float64(whole))*8)]) + strings.Repeat(" ", width-whole-1)
	}
	return "▕" + text + "▏"
}

// PerSecond formats a rate: per second, or per minute if it is low.
func PerSecond(rate float64) string {
	switch {
	case rate >= 10:
		return fmt.Sprintf("%.0f/s", rate)
	case rate >= 0.1:
		return fmt.Sprintf("%.2g/s", rate)
	}
	return fmt.Sprintf("%.2g/min", 60*rate)
}

// Count formats a number in groups of three digits: 1 284.
func Count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// Plural returns a number with its noun: "1 slot", "12 345 slots".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}

// printable returns a text without characters that would move the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}
