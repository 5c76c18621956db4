package profiling

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// driftFrom is the smallest change that counts, beyond the samples' own variation.
const driftFrom = 0.25

// Drift lists what has changed since the first profile.
func (p *Profile) Drift(first *Profile) []string {
	changes := []string{}
	noise := 3 * (first.CV/math.Sqrt(float64(max(1, first.Sampled))) + p.CV/math.Sqrt(float64(max(1, p.Sampled))))
	if change := p.Wall/first.Wall - 1; math.Abs(change) > max(driftFrom, noise) {
		changes = append(changes, fmt.Sprintf("item %+.0f %%", 100*change))
	}
	if p.Class != first.Class {
		changes = append(changes, first.Class+" -> "+p.Class)
	}
	if ratio := float64(p.Workers) / float64(first.Workers); ratio > 1.5 || ratio < 1/1.5 {
		changes = append(changes, fmt.Sprintf("workers %d -> %d", first.Workers, p.Workers))
	}
	if p.Failed > first.Failed {
		changes = append(changes, fmt.Sprintf("%d more failed", p.Failed-first.Failed))
	}
	return changes
}

// Line is the profile, and what has changed since the first one, in a line for a person.
func (p *Profile) Line(first *Profile, now time.Time) string {
	m := p.measured
	line := fmt.Sprintf("%s  item %s ± %.0f %%  CPU %s  %s  %s", now.Format("15:04:05"),
		jobs.Short(m.Wall), 100*m.CV, jobs.Short(m.CPU), p.Class, ui.Plural(p.Workers, "worker"))
	if p.Failed > 0 {
		line += fmt.Sprintf("  %d failed", p.Failed)
	}
	if changes := p.Drift(first); len(changes) > 0 {
		line += "  drift: " + strings.Join(changes, ", ")
	}
	return line + "\n"
}

// JSONLine is the same as JSON.
func (p *Profile) JSONLine(first *Profile, now time.Time) ([]byte, error) {
	raw, err := json.Marshal(struct {
		*Profile
		At    time.Time `json:"at"`
		Drift []string  `json:"drift"`
	}{p, now, p.Drift(first)})
	return append(raw, '\n'), err
}
