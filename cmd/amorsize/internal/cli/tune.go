package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
)

func newTune() *cobra.Command {
	var f measureFlags
	var most int
	c := &cobra.Command{
		Use:     "tune [flags] PKG.Func | -- command [argument]...",
		Aliases: []string{"compare"},
		Short:   "Measure a series of worker counts: scaling table, knee, model",
		Long: `Run the items with 1, 2, 4, … workers, several times in turn. Show the throughput of
each, from where more workers don't help, and how far off the prediction of profile
was. With --batch auto, several batch sizes are measured as well. As many items are
run as the budget allows. Results are dropped.` + goHelp,
		Example: `  amorsize tune ./calc.Square --range 1000
  amorsize tune -a files --budget 1m -- gzip -c {}`,
		RunE: func(c *cobra.Command, args []string) error { return tune(c, &f, most, args) },
	}
	g := newGroup("Series")
	g.set.IntVar(&most, "max-workers", 0, "the largest number of workers (default: four times what profile recommends)")
	f.bind(c, 30*time.Second, g)
	return c
}

func tune(c *cobra.Command, f *measureFlags, most int, args []string) error {
	if most < 0 {
		return exit.Usagef("--max-workers %d: must be at least 1", most)
	}
	m, err := f.open(c, args)
	if err != nil {
		return err
	}
	defer m.close()
	t, err := profiling.Tune(m.ctx(), m.target, m.list, profiling.Climb{
		Budget: f.budget, Most: most, Total: m.total(), Batches: m.batch.Auto,
		Begins: func(note string) { m.env.Terminal.Say("amorsize: " + note) },
	})
	if err = m.interrupted(err); err != nil {
		return err
	}
	return m.show("tune", t, f.json, t.Text())
}
