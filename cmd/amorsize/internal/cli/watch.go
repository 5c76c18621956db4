package cli

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
)

func newWatch() *cobra.Command {
	var f measureFlags
	var interval time.Duration
	var count int
	c := &cobra.Command{
		Use:   "watch [flags] PKG.Func | -- command [argument]...",
		Short: "Repeat profile, and report drift",
		Long: `Repeat profile, with a line for each, and report what has changed since the first: an
item that takes a quarter longer or shorter, another class of work, another number of
workers.` + goHelp,
		Example: `  amorsize watch --interval 5m -a urls -- curl -sf {}`,
		RunE:    func(c *cobra.Command, args []string) error { return watch(c, &f, interval, count, args) },
	}
	g := newGroup("Watch")
	g.set.DurationVar(&interval, "interval", time.Minute, "the time from one profile to the next")
	g.set.IntVar(&count, "count", 0, "end after this many profiles (default: run until interrupted)")
	f.bind(c, 2*time.Second, g)
	return c
}

func watch(c *cobra.Command, f *measureFlags, interval time.Duration, count int, args []string) error {
	switch {
	case interval <= 0:
		return exit.Usagef("--interval %v: must be a duration above 0", interval)
	case count < 0:
		return exit.Usagef("--count %d: must be at least 1", count)
	}
	m, err := f.open(c, args)
	if err != nil {
		return err
	}
	defer m.close()
	if !f.json {
		if err := m.env.Terminal.Text([]byte(m.target.What+"\n"), false); err != nil {
			return err
		}
	}
	if err := f.repeat(m, interval, count); m.ctx().Err() == nil {
		return err
	}
	return nil // an interrupt is its normal end
}

// repeat makes a profile repeatedly: count times, or, if that is 0, until the measurement is interrupted.
func (f *measureFlags) repeat(m *measurement, interval time.Duration, count int) error {
	var first *profiling.Profile
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 1; ; n++ {
		p, err := profiling.New(m.ctx(), m.target, m.list, profiling.Options{Budget: f.budget, Total: m.total()})
		if err != nil || m.ctx().Err() != nil {
			return err
		}
		first = cmp.Or(first, p)
		if err := watched(m, p, first, f.json); err != nil || n == count {
			return err
		}
		select {
		case <-m.ctx().Done():
			return nil
		case <-ticker.C:
		}
	}
}

// watched shows a profile, and what has changed since the first one.
func watched(m *measurement, p, first *profiling.Profile, asJSON bool) error {
	line := []byte(p.Line(first, time.Now()))
	if asJSON {
		var err error
		if line, err = p.JSONLine(first, time.Now()); err != nil {
			return err
		}
	}
	return m.env.Terminal.Text(line, false)
}
