package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// runFlags are common to run, http and exec.
type runFlags struct {
	input  inputFlags
	size   sizeFlags
	policy policyFlags
	output outputFlags
	grace  time.Duration
}

// defaultGrace is how long running jobs have to end.
const defaultGrace = 10 * time.Second

// check checks all flags, and returns how the jobs are run and where their items come from.
func (f *runFlags) check(c *cobra.Command, name string, args, list []string, given bool) (cfg run.Config, in items.Source, err error) {
	cfg = run.Config{Name: name, Args: args, Version: version(), Ordered: f.output.order, Bisect: f.size.bisect}
	c.Flags().Visit(func(flag *pflag.Flag) { cfg.Flags = append(cfg.Flags, [2]string{flag.Name, flag.Value.String()}) })
	if in, err = f.input.check(list, given); err != nil {
		return cfg, in, err
	}
	if cfg.Size, err = jobs.ParseSize(f.size.jobs); err != nil {
		return cfg, in, exit.Usage(err)
	}
	if cfg.Batch, err = jobs.ParseBatch(f.size.batch); err != nil {
		return cfg, in, exit.Usage(err)
	}
	if cfg.Policies, cfg.Ends, err = f.policy.check(); err != nil {
		return cfg, in, err
	}
	if err = f.output.check(); err != nil {
		return cfg, in, err
	}
	if f.size.bisect && f.output.order {
		return cfg, in, exit.Usagef("--bisect runs parts of a batch later: it can't be combined with --order")
	}
	if f.grace < 0 {
		return cfg, in, exit.Usagef("--grace %v: must be a duration above 0", f.grace)
	}
	cfg.Ends.Grace = f.grace
	cfg.Log, cfg.Show, cfg.Summary = f.output.log, f.output.show, f.output.summary
	cfg.Show.Progress = run.Progress(f.output.progress)
	return cfg, in, nil
}

// open checks all flags and opens the items: those of the flags, or instead, if that is not nil. Nothing has been
// run or written by then.
func (f *runFlags) open(c *cobra.Command, name string, args, list []string, given bool, instead *items.Source) (run.Config, *run.Environment, error) {
	cfg, in, err := f.check(c, name, args, list, given)
	if err != nil {
		return cfg, nil, err
	}
	if instead != nil {
		in = *instead
	}
	env, err := run.Open(in, run.Standard(), ui.Color(f.output.color))
	return cfg, env, err
}

// group is a group of flags in the help.
type group struct {
	title string
	set   *pflag.FlagSet
}

func newGroup(title string) group {
	return group{title, pflag.NewFlagSet(title, pflag.ContinueOnError)}
}

// audience says where the value of a flag may come from, and for which runs it holds. A flag has it where it is
// defined, so there is no separate list of flags to maintain.
type audience string

const (
	// ofRun holds for one run only: where its items come from, what happens to the log. A retry of the run sets its
	// own.
	ofRun audience = "run"
	// ofUser might run code, read or write files, decide where requests go or what is sent, or send it again. A
	// retry keeps it; a file that came with a directory can't set it.
	ofUser audience = "user"
	// ofAnyone is the number of jobs at a time, the policies, and how a run looks.
	ofAnyone audience = "anyone"
)

const audienceKey = "amorsize_audience"

// are sets the audience of these flags.
func (g group) are(a audience, names ...string) {
	for _, name := range names {
		if err := g.set.SetAnnotation(name, audienceKey, []string{string(a)}); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// isOf reports whether a flag has that audience. The default is ofUser.
func isOf(flag *pflag.Flag, a audience) bool {
	said := flag.Annotations[audienceKey]
	return len(said) == 1 && said[0] == string(a) || len(said) == 0 && a == ofUser
}

// addGroups adds the flags to a command, and makes its help show them by group.
func addGroups(c *cobra.Command, groups ...group) {
	addMixed(c, groups...)
	c.Flags().SetInterspersed(false) // arguments after the command belong to the command
}

// addMixed is addGroups for a command whose flags may follow its arguments.
func addMixed(c *cobra.Command, groups ...group) {
	for _, g := range groups {
		g.set.SortFlags = false
		c.Flags().AddFlagSet(g.set)
	}
	c.Flags().SortFlags = false
	c.SetUsageFunc(func(c *cobra.Command) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Usage:\n  %s\n", c.UseLine())
		for _, g := range groups {
			fmt.Fprintf(&b, "\n%s:\n%s", g.title, g.set.FlagUsagesWrapped(100))
		}
		_, err := c.OutOrStderr().Write([]byte(b.String()))
		return err
	})
}

func oneOf(text string, choices ...string) bool {
	return slices.Contains(choices, text)
}
