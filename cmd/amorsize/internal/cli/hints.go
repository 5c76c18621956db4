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
	"P": "the number of jobs at a time is -j", "I": "{} is the item, always: leave -I out", "i": "{} is the item, always: leave -i out",
	"L": "items of a job are --batch 10; -N 2 has so many lines as {1} and {2}", "r": "nothing is run without items: leave -r out",
	"s": "a batch is cut by what fits a command line: leave -s out", "t": "-v tells of failures, -n of what would be run",
	"max-procs": "the number of jobs at a time is --jobs", "max-args": "items of a job are --batch", "X": "items of a job are --batch auto",
	"m": "items of a job are --batch auto", "bar": "progress is shown without it: --progress tells how", "eta": "progress is shown without it: --progress tells how",
	"joblog": "what becomes of each item is kept with --log", "keep-order": "it is --order", "line-buffer": "it is --output line",
	"lb": "it is --output line", "ungroup": "it is --output live", "u": "it is --output live", "tagstring": "it is --tag=TEMPLATE",
	"dryrun": "it is --dry-run", "retry-failed": "it is amorsize retry RUN.jsonl", "link": "lists are linked with :::+",
	"on": "it comes first: amorsize run --on sqlite:runs.db …", "id": "of runs in a database, where --on comes first: amorsize run --on sqlite:runs.db --id NAME …", "no-run-if-empty": "nothing is run without items: leave it out", "max-replace-args": "it is --per-item, or -N",
}

// withHint adds to the error about an unknown flag its name here, or flags with similar names.
func withHint(err error, flags *pflag.FlagSet) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
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
