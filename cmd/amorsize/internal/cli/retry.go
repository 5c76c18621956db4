package cli

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/rerun"
	"github.com/amorsize/amorsize/journal"
)

func newRetry() *cobra.Command {
	return &cobra.Command{
		Use:   "retry RUN.jsonl [flags of that run]",
		Short: "Run the failed items of a log again, with the log's command",
		Long: `Run the failed items of a log again, with the log's command and flags, and add their
outcome to the log. Flags given here replace those of the log. Given the journal of
a Go program, it runs that program again, in its directory, with its arguments and
those given here: the program runs failed and missing items.`,
		Example:            "  amorsize retry run.jsonl --retries 5",
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && oneOf(args[0], "-h", "--help") {
				return c.Help()
			}
			if len(args) == 0 || strings.HasPrefix(args[0], "-") {
				return exit.Usagef("give the log of a run: amorsize retry RUN.jsonl [flags]")
			}
			return retryRun(args[0], args[1:])
		},
	}
}

// retryRun runs the failed items of a log.
func retryRun(path string, more []string) error {
	content, err := joblog.Read(path)
	if err != nil {
		return exit.Usage(err)
	}
	if content.Header.Command == journal.Program {
		return retryProgram(path, more)
	}
	failed := content.Failed()
	if len(failed) == 0 {
		complain(os.Stderr, errors.New("nothing failed in "+path))
		return nil
	}
	c, f, start, err := again(path, content.Header)
	if err != nil {
		return err
	}
	if err := carryOver(c, path, content.Header.Flags); err != nil {
		return err
	}
	if err := c.ParseFlags(more); err != nil {
		return exit.Usage(err)
	}
	log := &f.output.log
	log.Path, log.From = cmp.Or(log.Path, path), path
	log.Extend = log.Path == path || outfile.Same(log.Path, outfile.Stat(path))
	from, err := f.input.check(nil, false)
	if err != nil {
		return err
	}
	source, remove, err := rerun.Source(failed, content.Header.Names, from)
	if err != nil {
		return err
	}
	defer remove()
	return start(&source)
}

// retryProgram runs the program of the journal again.
func retryProgram(path string, more []string) error {
	program, err := rerun.Program(path, more)
	switch {
	case err != nil:
		return err
	case program == nil:
		complain(os.Stderr, errors.New("nothing failed in "+path))
		return nil
	}
	err = program.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.With(ended.ExitCode(), nil)
	}
	if err != nil {
		return exit.Usagef("%s: %w; run the program yourself, in %s: it runs what failed", path, err, program.Dir)
	}
	return nil
}

// again returns the command of a log with all its flags, and a function that starts it with other items.
func again(path string, h joblog.Header) (c *cobra.Command, f *runFlags, start func(*items.Source) error, err error) {
	c, f = &cobra.Command{Use: "retry"}, new(runFlags)
	switch h.Command {
	case "run":
		var cmd commandFlags
		bindRun(c, f, &cmd)
		start = func(source *items.Source) error { return runCommand(c, f, &cmd, h.Args, source) }
	case "http":
		var what httpFlags
		bindHTTP(c, f, &what)
		start = func(source *items.Source) error { return runHTTP(c, f, &what, h.Args, source) }
	case "exec":
		var g goFlags
		var as string
		bindExec(c, f, &g, &as)
		start = func(source *items.Source) error { return execFunction(c, f, &g, as, h.Args, source) }
	default:
		return nil, nil, nil, exit.Usagef("%s is the log of amorsize %s, which retry does not support", path, h.Command)
	}
	return c, f, start, nil
}

// carryOver sets the flags of a log, except those that a run sets for itself.
func carryOver(c *cobra.Command, path string, flags [][2]string) error {
	for _, flag := range flags {
		if defined := c.Flags().Lookup(flag[0]); defined != nil && isOf(defined, ofRun) {
			continue
		}
		if err := rerun.SetFlag(c.Flags(), flag[0], flag[1]); err != nil {
			return exit.Usagef("%s: --%s %q: %w", path, flag[0], flag[1], err)
		}
	}
	return nil
}
