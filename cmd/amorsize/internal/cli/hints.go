package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// elsewhere maps flags of xargs and GNU parallel to their names here.
var elsewhere = map[string]string{
	"P": "-j sets the number of jobs at a time", "I": "write {} for the item, and omit -I", "i": "write {} for the item, and omit -i",
	"L": "use --batch 10 for 10 items per job; -N 2 passes two lines as {1} and {2}", "r": "nothing runs without items: omit -r",
	"s": "a batch is cut to fit a command line: omit -s", "t": "-v shows failed attempts, -n what would be run",
	"max-procs": "--jobs sets the number of jobs at a time", "max-args": "--batch sets the items per job", "X": "use --batch auto",
	"m": "use --batch auto", "bar": "progress is shown by default: --progress sets its form", "eta": "progress is shown by default: --progress sets its form",
	"joblog": "--log keeps each item's outcome", "keep-order": "use --order", "line-buffer": "use --output line",
	"lb": "use --output line", "ungroup": "use --output live", "u": "use --output live", "tagstring": "use --tag=TEMPLATE",
	"retry": "--retries sets how often a failed item is retried", "dryrun": "use --dry-run", "retry-failed": "use amorsize retry RUN.jsonl", "link": "link lists with :::+",
	"on": "put it first: amorsize run --on sqlite:runs.db …", "id": "it names a run in a database, with --on first: amorsize run --on sqlite:runs.db --id NAME …", "no-run-if-empty": "nothing runs without items: omit it", "max-replace-args": "use --per-item, or -N",
}

// withHint adds to the error about an unknown flag its name here, or flags with similar names.
func withHint(err error, flags *pflag.FlagSet) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if n := unknown.GetSpecifiedName(); len(n) == 1 && n >= "1" && n <= "9" { // of -n1, where -n is a flag without a value
		return fmt.Errorf("%w; use --batch %s for the items per job", err, n)
	}
	if hint := elsewhere[unknown.GetSpecifiedName()]; hint != "" {
		return fmt.Errorf("%w; %s", err, hint)
	}
	if near := nearest(unknown.GetSpecifiedName(), flags); len(near) > 0 {
		return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
	}
	return err
}

// nearest returns the flags that a name may mean: one letter different, two in a long name, or with that
// beginning. cobra can find that for commands, so each flag is made a command.
func nearest(name string, flags *pflag.FlagSet) []string {
	if len(name) < 3 {
		return nil // too much is near
	}
	all := &cobra.Command{SuggestionsMinimumDistance: 1 + min(1, len(name)/6)}
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	return all.SuggestionsFor(name)
}

// numberOfArguments reports whether -n was meant as in xargs: it would be a dry run of a command that is a number.
func numberOfArguments(argv []string, dryRun bool) bool {
	if !dryRun || len(argv) == 0 {
		return false
	}
	_, err := strconv.Atoi(strings.TrimSpace(argv[0]))
	return err == nil
}
