package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func newWatch() *cobra.Command {
	var f measureFlags
	var interval time.Duration
	var count int
	c := &cobra.Command{
		Use:   "watch [flags] PKG.Func | -- command [argument]...",
		Short: "Repeat profile, and report drift",
		Long: `Repeat profile again and again, a line for each, and say what has changed since the
first: an item that takes a quarter longer or shorter, another class of work,
another number of workers.` + goHelp,
		Example: `  amorsize watch --interval 5m -a urls -- curl -sf {}`,
		RunE:    func(c *cobra.Command, args []string) error { return watch(c, &f, interval, count, args) },
	}
	g := newGroup("Watch")
	g.set.DurationVar(&interval, "interval", time.Minute, "from one profile to the next")
	g.set.IntVar(&count, "count", 0, "end after so many profiles (default: go on until interrupted)")
	f.bind(c, 2*time.Second, g)
	return c
}

func watch(c *cobra.Command, f *measureFlags, interval time.Duration, count int, args []string) error {
	switch {
	case interval <= 0:
		return exit.Usagef("--interval %v: want a time above 0", interval)
	case count < 0:
		return exit.Usagef("--count %d: want 1 or more", count)
	}
	s, sub, head, err := f.open(c, args)
	if err != nil {
		return err
	}
	defer sub.close()
	defer func() { _ = s.input.Close() }()
	ctx, stop := s.interruptible()
	defer stop()
	list, err := s.measurable()
	if err != nil {
		return err
	}
	f.race = false
	if !f.json {
		if err := s.term.Text([]byte(head.what+"\n"), false); err != nil {
			return err
		}
	}
	var first *profile
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 1; ; n++ {
		p, m, err := f.profile(ctx, s, sub, head, list)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being interrupted is how it ends
		}
		if err != nil {
			return err
		}
		if first == nil {
			first = p
		}
		if err := s.term.Text(watchLine(first, p, m, f.json), false); err != nil {
			return err
		}
		if n == count {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func watchLine(first, p *profile, m measured, asJSON bool) []byte {
	changes := drift(first, p)
	if asJSON {
		raw, err := json.Marshal(struct {
			*profile
			At    time.Time `json:"at"`
			Drift []string  `json:"drift"`
		}{p, time.Now(), changes})
		if err != nil {
			return nil
		}
		return append(raw, '\n')
	}
	line := fmt.Sprintf("%s  item %s ± %.0f %%  CPU %s  %s  %s", time.Now().Format("15:04:05"),
		jobs.Short(m.Wall), 100*m.CV, jobs.Short(m.CPU), p.Class, ui.Plural(p.Workers, "worker"))
	if p.Failed > 0 {
		line += fmt.Sprintf("  %d failed", p.Failed)
	}
	if len(changes) > 0 {
		line += "  drift: " + strings.Join(changes, ", ")
	}
	return []byte(line + "\n")
}

// driftFrom is the change that counts, beyond what the samples vary by themselves.
const driftFrom = 0.25

// drift tells what has changed since the first profile.
func drift(first, p *profile) []string {
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
