package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/remote"
)

func newRuns() *cobra.Command {
	c := &cobra.Command{Use: "runs", Short: "List runs, show their results and failures, pause, cancel and remove them", RunE: unknown}
	c.AddCommand(
		command("list", "List all runs, newest first", 0, func(c *cobra.Command, cluster *remote.Cluster, _ string) error { return list(c, cluster) }),
		command("show ID", "Show a run's progress", 1, showRun),
		command("results ID", "Print a run's results in order, as they arrive", 1, func(c *cobra.Command, cluster *remote.Cluster, id string) error {
			return with(c, cluster, id, func(ctx context.Context, run *remote.Handle) error { return show(ctx, run, c.OutOrStdout(), "text") })
		}),
		command("failed ID", "List a run's failed items and their errors", 1, listFailed),
		command("retry ID", "Run a run's failed items again", 1, func(c *cobra.Command, cluster *remote.Cluster, id string) error {
			return with(c, cluster, id, func(ctx context.Context, run *remote.Handle) error {
				items, err := run.RetryFailed(ctx)
				if err == nil {
					_, err = fmt.Fprintf(c.OutOrStdout(), "items to run again: %d\n", items)
				}
				return err
			})
		}),
		act("pause ID", "Pause a run: start no more of its items", (*remote.Handle).Pause),
		act("resume ID", "Resume a paused run", (*remote.Handle).Resume),
		act("cancel ID", "Cancel a run for good; its results so far are kept", (*remote.Handle).Cancel),
		newLive(), newUI(),
		act("rm ID", "Remove a run and all its data", (*remote.Handle).Remove),
	)
	return c
}

// command is a sub-command that needs a database, and a run if args is 1.
func command(use, short string, args int, do func(c *cobra.Command, cluster *remote.Cluster, id string) error) *cobra.Command {
	var where place
	c := &cobra.Command{Use: use, Short: short, Args: number(args), RunE: func(c *cobra.Command, args []string) error {
		cluster, err := where.existing(c)
		if err != nil {
			return err
		}
		defer cluster.Close()
		return do(c, cluster, strings.Join(args, ""))
	}}
	where.flags(c)
	return c
}

func act(use, short string, do func(*remote.Handle, context.Context) error) *cobra.Command {
	return command(use, short, 1, func(c *cobra.Command, cluster *remote.Cluster, id string) error {
		return with(c, cluster, id, func(ctx context.Context, run *remote.Handle) error { return do(run, ctx) })
	})
}

func with(c *cobra.Command, cluster *remote.Cluster, id string, do func(context.Context, *remote.Handle) error) error {
	run, err := cluster.Run(c.Context(), id)
	if err != nil {
		return err
	}
	return do(c.Context(), run)
}

func list(c *cobra.Command, cluster *remote.Cluster) error {
	runs, err := cluster.Runs(c.Context())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "RUN\tJOB\tSTATE\tITEMS\tDONE\tFAILED\tCREATED")
	for _, r := range runs {
		_, _ = fmt.Fprintf(w, "%q\t%s\t%s\t%d\t%d\t%d\t%s\n", r.ID, r.Function, r.State, r.Items, r.Done, r.Failed, r.Created.Format(time.DateTime))
	}
	return w.Flush()
}

func showRun(c *cobra.Command, cluster *remote.Cluster, id string) error {
	return with(c, cluster, id, func(ctx context.Context, run *remote.Handle) error {
		r, err := run.Info(ctx)
		if err != nil {
			return err
		}
		out := c.OutOrStdout()
		_, err = fmt.Fprintf(out, "run     %q\njob     %s\nstate   %s\nitems   %d\ndone    %d\nfailed  %d\nchunks  %d left\ncreated %s\n",
			r.ID, r.Function, r.State, r.Items, r.Done, r.Failed, r.Chunks, r.Created.Format(time.DateTime))
		if err == nil && r.Problem != "" {
			_, err = fmt.Fprintf(out, "problem %q\n", r.Problem)
		}
		return err
	})
}

// listFailed prints failures: what others wrote is quoted, so that it does nothing to a terminal.
func listFailed(c *cobra.Command, cluster *remote.Cluster, id string) error {
	return with(c, cluster, id, func(ctx context.Context, run *remote.Handle) error {
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ITEM\tATTEMPTS\tCONTENT\tERROR")
		for f, err := range run.Failures(ctx) {
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(w, "%d\t%d\t%.80q\t%q\n", f.Index+1, f.Attempts, item(f.Item), f.Error)
		}
		return w.Flush()
	})
}

// item is what a payload is, if it is a text.
func item(payload []byte) string {
	text := ""
	if json.Unmarshal(payload, &text) == nil {
		return text
	}
	return string(payload)
}

func newMigrate() *cobra.Command {
	var where place
	c := &cobra.Command{
		Use: "migrate", Short: "Migrate a database's tables to this program's version", Args: number(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if where.url == "" {
				return fmt.Errorf("%w: --on DATABASE is required", errUsage)
			}
			return where.config(c).Migrate(c.Context(), where.url)
		},
	}
	where.flags(c)
	return c
}

func newDoctor() *cobra.Command {
	return command("doctor", "Check the database, the workers and the runs", 0, func(c *cobra.Command, cluster *remote.Cluster, _ string) error {
		found, err := cluster.Doctor(c.Context())
		if err != nil {
			return err
		}
		bad := 0
		for _, f := range found {
			mark := "ok  "
			if !f.OK {
				mark = "warn"
				bad++
			}
			if _, err := fmt.Fprintf(c.OutOrStdout(), "%s  %-10s %s\n", mark, f.What, f.Says); err != nil {
				return err
			}
		}
		if bad > 0 {
			return &failure{statusFailed, fmt.Errorf("warnings: %d", bad)}
		}
		return nil
	})
}
