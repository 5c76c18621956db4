package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
)

func newProfile() *cobra.Command {
	var f measureFlags
	c := &cobra.Command{
		Use:     "profile [flags] PKG.Func | -- command [argument]...",
		Aliases: []string{"optimize"},
		Short:   "Sample items: the cost of one, and the expected gain of more workers",
		Long: `Run some of the items one after the other. Show what an item costs, whether it is
CPU-bound or I/O-bound, the expected speedup of each number of workers and what limits
it, and the code or the command line to use. Results are dropped.

An item may run several times: I/O-bound work is also tried in parallel, and a function
with the race detector. Do not profile what must not be repeated, such as a payment.

For a Go function the race detector says whether it may be called concurrently.` + goHelp,
		Example: `  amorsize profile ./calc.Square --range 1000
  amorsize profile -a urls -- curl -sf {}`,
		RunE: func(c *cobra.Command, args []string) error {
			return profile(c, &f, args)
		},
	}
	g := newGroup("Go function, more")
	g.set.BoolVar(&f.race, "race", true, "ask the race detector whether calls may run at the same time")
	f.bind(c, 2*time.Second, g)
	return c
}

// profile makes a profile, shows it and keeps it.
func profile(c *cobra.Command, f *measureFlags, args []string) error {
	m, err := f.open(c, args)
	if err != nil {
		return err
	}
	defer m.close()
	p, err := profiling.New(m.ctx(), m.target, m.list, profiling.Options{Budget: f.budget, Total: m.total()})
	if err = m.interrupted(err); err != nil {
		return err
	}
	if err := m.show("profile", p, f.json, p.Text(m.env.Terminal)); err != nil {
		return err
	}
	if p.Race != nil && p.Race.Found {
		return exit.With(exit.Failed, nil)
	}
	return nil
}
