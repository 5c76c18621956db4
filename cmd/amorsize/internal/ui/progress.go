package ui

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/progress"
)

// View is the content of a progress line.
type View struct {
	State *jobs.State
	Set   *policies.Set
	Width int
	Note  string // instead of the usual: draining …
	Bar   bool
}

// Line returns the progress line.
func (v View) Line(now time.Time) string {
	if v.Note != "" {
		return " " + v.Note
	}
	s := v.State
	done, total := int(s.Done.Load()), int(s.Total.Load())
	l := progress.Line{
		Done: done, Total: total, Rate: s.Rate(now), Unit: "slot", InFlight: int(s.Slots.Load()),
		Retried: int(v.Set.Retried.Load()), Failed: int(s.Failed.Load()), Bar: v.Bar,
	}
	if open, waiting, why := v.Set.Open(); open {
		l.Paused = fmt.Sprintf("the breaker is open (%s) · %d waiting", summary.Brief(secrets.Hide(why), 80), waiting)
	}
	if n := v.Set.Throttled.Load(); n > 0 {
		text := fmt.Sprintf("throttled×%d", n)
		if v.Set.Limiter != nil {
			text += fmt.Sprintf(" (rate now %.3g/s)", v.Set.Limiter.Rate())
		}
		l.Notes = append(l.Notes, text)
	}
	l.Remaining = v.remaining(done, total, l.Rate)
	return l.Text(v.Width, now)
}

// remaining is shown when 5 % of the items and two for every slot have ended.
func (v View) remaining(done, total int, rate float64) time.Duration {
	if rate <= 0 || done >= total || 20*done < total || int64(done) < 2*v.State.Slots.Load() { // a total of -1 is none
		return 0
	}
	return time.Duration(float64(total-done) / rate * float64(time.Second))
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
