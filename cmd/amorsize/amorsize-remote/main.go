// Amorsize-remote runs a command or a request over many items on many machines, durably: runs are kept in a SQLite
// file or a PostgreSQL, and go on where they were.
//
//	go install github.com/amorsize/amorsize/cmd/amorsize/amorsize-remote@latest
//
// It is a command of its own so that amorsize needs no database driver.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/remote"
)

// Statuses, as those of amorsize.
const (
	statusFailed = 1 // items failed
	statusUsage  = 2
	statusBroken = 3 // the run could not be made, or was ended
)

// failure is an error with its status.
type failure struct {
	status int
	error
}

func (f *failure) Unwrap() error { return f.error }

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := 0
	go func() {
		if s, ok := (<-signals).(syscall.Signal); ok {
			ended = 128 + int(s)
		}
		signal.Stop(signals) // a second one ends it at once
		fmt.Fprintln(os.Stderr, "amorsize-remote: stopping; items in flight get a few seconds to end, a second signal stops them at once")
		cancel()
	}()
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if ctx.Err() != nil && status == statusBroken {
		status = ended
	}
	os.Exit(status)
}

// run is the command line, and returns the status to exit with.
func run(ctx context.Context, args []string, in io.Reader, out, complaints io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(complaints)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(complaints, "amorsize-remote:", err)
	var known *failure
	switch {
	case errors.As(err, &known):
		return known.status
	case errors.Is(err, remote.ErrConfig), errors.Is(err, remote.ErrURL), errors.Is(err, errUsage), errors.Is(err, template.ErrTemplate), errors.Is(err, policies.ErrFlag), errors.Is(err, gofunc.ErrTarget),
		errors.Is(err, fs.ErrNotExist):
		return statusUsage
	}
	return statusBroken
}

// errUsage is what is wrong with a command line.
var errUsage = errors.New("usage")

// place is where runs are kept, as flags say.
type place struct{ url, schema string }

func (p *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.url, "on", os.Getenv("AMORSIZE_ON"), "the database: sqlite:FILE or postgres://… (also AMORSIZE_ON)")
	c.Flags().StringVar(&p.schema, "schema", "", "the PostgreSQL schema of the tables (default amorsize)")
}

func (p *place) config(c *cobra.Command) remote.Config {
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return remote.Config{Schema: p.schema, Logger: log}
}

// existing opens a database that is there: a mistyped name makes no new one.
func (p *place) existing(c *cobra.Command) (*remote.Cluster, error) {
	if file, is := strings.CutPrefix(p.url, "sqlite:"); is {
		if _, err := os.Stat(strings.TrimPrefix(file, "//")); err != nil {
			return nil, err
		}
	}
	return p.open(c)
}

func (p *place) open(c *cobra.Command) (*remote.Cluster, error) {
	if p.url == "" {
		return nil, fmt.Errorf("%w: --on DATABASE is required, such as --on sqlite:runs.db", errUsage)
	}
	return p.config(c).Open(c.Context(), p.url)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "amorsize-remote",
		Short: "Run a command, a request or a Go function over many items on many machines, durably",
		Long: `Run a command, a request or a Go function over many items on many machines,
durably. Runs are stored in a SQLite file (one machine) or in PostgreSQL (any number).

On each worker machine:

  amorsize-remote worker --on postgres://host/db --name thumbs -- convert {} {.}.png

On the machine that has the items:

  ls *.jpg | amorsize-remote run --on postgres://host/db --name thumbs --id 2026-11-26

Given the command, run also works on the items itself and needs no other workers:

  ls *.jpg | amorsize-remote run --on sqlite:runs.db --id 2026-11-26 -- convert {} {.}.png`,
		SilenceUsage: true, SilenceErrors: true, RunE: unknown, Args: cobra.ArbitraryArgs,
	}
	root.AddCommand(newWorker(), newRun(), newHTTP(), newExec(), newRuns(), newMigrate(), newDoctor())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	return root
}

// number has a wrong number of arguments be an error of usage.
func number(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return nil
	}
}

// unknown is what a command with sub-commands does by itself.
func unknown(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return fmt.Errorf("%w: %s has no command %q", errUsage, c.CommandPath(), args[0])
}
