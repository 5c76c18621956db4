package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// View is what a line of progress is made of.
type View struct {
	State *jobs.State
	Set   *policies.Set
	Width int
	Note  string // instead of the usual: draining …
	Bar   bool
}

// Line returns the line of progress.
func (v View) Line(now time.Time) string {
	s := v.State
	done, total := int(s.Done.Load()), int(s.Total.Load())
	rate := s.Rate(now)
	if v.Note != "" {
		return " " + v.Note
	}
	if open, waiting, why := v.Set.Open(); open {
		return fmt.Sprintf(" %s · paused: the breaker is open (%s) · %d wait", v.count(done, total), summary.Brief(secrets.Hide(why), 80), waiting)
	}
	parts := []string{v.count(done, total)}
	if v.Bar && total > 0 && v.Width >= 70 {
		parts[0] += " " + bar(float64(done)/float64(total), 20) + fmt.Sprintf(" %3.0f %%", 100*float64(done)/float64(total))
	}
	if rate > 0 {
		parts = append(parts, perSecond(rate))
	}
	if n := s.Slots.Load(); n > 0 {
		parts = append(parts, Plural(int(n), "slot"))
	}
	parts = append(parts, v.troubles()...)
	if eta := v.eta(done, total, rate, now); eta != "" {
		parts = append(parts, eta)
	}
	return " " + strings.Join(parts, "  ")
}

// troubles tells of what did not succeed at once.
func (v View) troubles() (parts []string) {
	if n := v.Set.Retried.Load(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d retried", n))
	}
	if n := v.State.Failed.Load(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", n))
	}
	if n := v.Set.Throttled.Load(); n > 0 {
		text := fmt.Sprintf("throttled×%d", n)
		if v.Set.Limiter != nil {
			text += fmt.Sprintf(" (rate now %.3g/s)", v.Set.Limiter.Rate())
		}
		parts = append(parts, text)
	}
	return parts
}

func (v View) count(done, total int) string {
	if total < 0 {
		return jobs.Count(done) + " done, reading…"
	}
	return jobs.Count(done) + "/" + jobs.Count(total)
}

// eta appears when 5 % of the items and two for every slot are over.
func (v View) eta(done, total int, rate float64, now time.Time) string {
	if total <= 0 || rate <= 0 || done >= total || 20*done < total || int64(done) < 2*v.State.Slots.Load() {
		return ""
	}
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
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

func perSecond(rate float64) string {
	switch {
	case rate >= 10:
		return fmt.Sprintf("%.0f/s", rate)
	case rate >= 0.1:
		return fmt.Sprintf("%.2g/s", rate)
	}
	return fmt.Sprintf("%.2g/min", 60*rate)
}

// JSON returns the progress for a machine, as one line.
func (v View) JSON(now time.Time) string {
	s := v.State
	open, _, _ := v.Set.Open()
	raw, _ := json.Marshal(map[string]any{ // of numbers and a bool only
		"type": "progress", "done": s.Done.Load(), "total": s.Total.Load(), "failed": s.Failed.Load(),
		"rate_per_s": s.Rate(now), "workers": s.Slots.Load(), "running": s.Running.Load(),
		"retried": v.Set.Retried.Load(), "throttled": v.Set.Throttled.Load(), "paused": open,
		"elapsed_s": now.Sub(s.Began).Seconds(),
	})
	return string(raw)
}
