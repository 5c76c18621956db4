package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
)

func newExec() *cobra.Command {
	var f runFlags
	var g goFlags
	var as string
	c := &cobra.Command{
		Use:   "exec [flags] PKG.Func [::: item...]",
		Short: "Run a Go function over the items",
		Long: `Run a Go function over the items. How many calls run at once is measured. Results are
JSON lines in the order of the items. Failed items have none; --out jsonl writes an
object for every item, with item64, in base64, if the item is not UTF-8.` + goHelp + `

Every call goes through a pipe, which costs about 20 µs: for cheaper calls, use
amorsize.Execute in Go.`,
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
	out.are(ofUser, "out")
	groups := append([]group{f.input.group(), g.group(), f.size.group(true)}, f.policy.groups(0, "off")...)
	addMixed(c, append(groups, out)...)
}

func execFunction(c *cobra.Command, f *runFlags, g *goFlags, as string, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	target, err := oneTarget(argv, g.fn)
	if err = cmp.Or(err, valueOrJSONL(as), f.output.resultsOnOutput()); err != nil {
		return err
	}
	f.grace = defaultGrace
	f.output.order = !f.size.bisect
	cfg, env, err := f.open(c, "exec", argv, list, given, source)
	if err != nil {
		return err
	}
	defer env.Close()
	fn, binary, err := g.build(target, f.size.batch != "1", env.Groups)
	if err != nil {
		return err
	}
	defer binary.Close()
	cfg.What = fn.Name + "   " + fn.Type + "   " + fn.Place
	out, err := output.New(env.Terminal, f.output.config(false, false), env.Scope())
	if err != nil {
		return err
	}
	if f.output.dryRun {
		return env.Terminal.Text([]byte(cfg.What+"\n"), false)
	}
	defer env.StartGuard().Close()
	runner := function.New(function.Form(as), fn.Result, function.Surroundings{
		Serve: function.Serving(binary, env.Terminal.AsideWriter()), Timeout: env.Timeout(cfg.Policies.Timeout),
	})
	defer runner.Close()
	return runSession(cfg, env, out, runner)
}

func valueOrJSONL(as string) error {
	if !oneOf(as, "value", "jsonl") {
		return exit.Usagef("--out %q: must be value or jsonl", as)
	}
	return nil
}
