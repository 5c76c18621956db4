package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
)

func newExec() *cobra.Command {
	var f runFlags
	var g goFlags
	var as string
	c := &cobra.Command{
		Use:   "exec [flags] PKG.Func [::: item...]",
		Short: "Run a Go function over the items",
		Long: `Run a Go function over the items, as many calls at a time as pay. Results are JSON
lines in the order of the items; those of items that fail are left out, unless
--out jsonl writes an object for every item, with its item64, in base64, where that is
no UTF-8.` + goHelp + `

Every call goes through a pipe, which costs some 20 µs: for calls that are cheaper,
call amorsize.Execute in Go.`,
		Example: `  amorsize exec ./calc.Square --range 100
  amorsize exec ./crawl.Fetch --rate 10/s -a urls --out jsonl`,
		RunE: func(c *cobra.Command, args []string) error { return execFunction(c, &f, &g, as, args, nil) },
	}
	bindExec(c, &f, &g, &as)
	return c
}

func bindExec(c *cobra.Command, f *runFlags, g *goFlags, as *string) {
	out := f.output.group()
	out.set.StringVar(as, "out", "value", "results are the `value`, or jsonl: an object with n, item and value or error")
	groups := append([]group{f.input.group(), g.group(), f.size.group(true)}, f.policy.groups(0, "off")...)
	addMixed(c, append(groups, out)...)
}

func execFunction(c *cobra.Command, f *runFlags, g *goFlags, as string, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	target, err := oneTarget(argv, g.fn)
	if err != nil {
		return err
	}
	switch {
	case !oneOf(as, "value", "jsonl"):
		return exit.Usagef("--out %q: want value or jsonl", as)
	case f.output.json && f.output.results == "":
		return exit.Usagef("--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE")
	}
	f.grace = defaultGrace
	f.output.order = !f.size.bisect
	s, err := f.open(c, "exec", argv, list, given)
	if err != nil {
		return err
	}
	if source != nil {
		if err := s.reopen(*source); err != nil {
			return err
		}
	}
	defer func() { _ = s.input.Close() }()
	fn, err := function.Load(context.Background(), g.config(target, f.size.batch != "1"), nil)
	if err != nil {
		return err
	}
	binary, err := function.Build(context.Background(), fn, &s.groups)
	if err != nil {
		return err
	}
	defer binary.Close()
	s.what = fn.Name + "   " + fn.Type + "   " + fn.Place
	if s.out, err = output.New(s.term, f.output.config(false, false), s.scope); err != nil {
		return err
	}
	if f.output.dryRun {
		return s.term.Text([]byte(s.what+"\n"), false)
	}
	defer s.startGuard().Close()
	runner := function.New(function.Form(as), fn.Result, function.Surroundings{
		Serve: func() (function.Server, error) {
			server, err := binary.Serve(s.term.AsideWriter(), "")
			if err != nil {
				return nil, err // not a nil server in an interface
			}
			return server, nil
		},
		Timeout: s.timeout,
	})
	s.killed = runner.Kill
	defer runner.Close()
	return s.run(jobs.Config{Attempt: runner.Attempt, Traits: runner.Traits()})
}
