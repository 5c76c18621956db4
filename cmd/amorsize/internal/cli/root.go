// Package cli is the command line: its sub-commands, flags and statuses.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// Main runs the command line and returns the status to exit with.
func Main(args []string) int {
	if len(args) > 0 && args[0] == process.GuardArgument {
		process.BeGuard()
		return exit.OK
	}
	if len(args) > 0 && args[0] == "--" { // amorsize -- command is amorsize run -- command
		args = append([]string{"run"}, args...)
	}
	err := execute(args)
	if err == nil {
		return exit.OK
	}
	var ended *exit.Error
	if !errors.As(err, &ended) {
		ended = exit.With(exit.BadUsage, err) // cobra's own: an unknown flag or command
	}
	if ended.Err != nil {
		complain(os.Stderr, ended.Err)
	}
	return ended.Code
}

func execute(args []string) error {
	if ofRemote(args) {
		return handOver(args)
	}
	root := newRoot()
	args, err := withDefaults(root, args)
	if err != nil {
		return err
	}
	root.SetArgs(args)
	return root.Execute()
}

// complain writes an error, its first line marked. It may tell of a file's name, or of what a file holds: what a
// terminal would obey is escaped.
func complain(w io.Writer, err error) {
	_, _ = io.WriteString(w, "amorsize: ")
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		_, _ = fmt.Fprintln(w, summary.Printable(strings.ReplaceAll(line, "\t", "  ")))
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "amorsize",
		Short: "Run a command, a request or a Go function over many items, with measured concurrency",
		Long: `Run a command, a request or a Go function over many items. How many run at once is
measured, not configured, and the limits of the called service are kept.

  ls *.png | amorsize run -- optipng -quiet {}
  amorsize http --rate 50/s 'https://api.example.com/v1/users/{}' < ids
  amorsize profile ./pkg.Func --range 1000

amorsize -- command is short for amorsize run -- command.

For a run on many machines, kept in a database, put --on first: amorsize run --on
sqlite:runs.db --id NAME. amorsize-remote executes it, and amorsize worker, runs and
migrate.`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return withHint(err, c.Flags()) })
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "measure", Title: "Measure:"},
		&cobra.Group{ID: "past", Title: "Past runs:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"run":     {newRun(), newHTTP(), newExec()},
		"measure": {newProfile(), newTune(), newWatch(), newDoctor()},
		"past":    {newRetry(), newReport(), newHistory()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.AddCommand(newMan(), newVersion())
	root.InitDefaultCompletionCmd()
	return root
}
