package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote"
)

func pathEscape(text string) string { return url.PathEscape(text) }

func newRun() *cobra.Command {
	var where place
	var what job
	var id string
	var only bool
	var form string
	c := &cobra.Command{
		Use:   "run --on DATABASE --id NAME [flags] [-- COMMAND [ARGUMENT...]] < ITEMS",
		Short: "Run the lines of standard input, and print their results in order",
		Long: `Run the lines of standard input, and print their results in order. Killed and
started again with the same --id and the same lines it goes on where it was, and
prints all results. With a command, or --url, it works along; without, there
must be workers of that --name. Status 1 says that items failed, see: runs failed.`,
		RunE: func(c *cobra.Command, args []string) error {
			what.argv = args
			if !what.given() && what.name == "" {
				return fmt.Errorf("%w: a command, --url, or the --name of workers", errUsage)
			}
			if form != "text" && form != "jsonl" {
				return fmt.Errorf("%w: --out is text or jsonl", errUsage)
			}
			cluster, err := where.open(c)
			if err != nil {
				return err
			}
			defer cluster.Close()
			return submit(c, cluster, &what, id, only, form)
		},
	}
	where.flags(c)
	what.flags(c)
	c.Flags().StringVar(&id, "id", "", "the run's name: the same one goes on where it was (default a new one)")
	c.Flags().BoolVar(&only, "submit-only", false, "end when all items are there; see: runs results")
	c.Flags().StringVar(&form, "out", "text", "results as text, or as jsonl with item numbers and errors")
	return c
}

func submit(c *cobra.Command, cluster *remote.Cluster, what *job, id string, only bool, form string) error {
	f, err := what.register(cluster)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(c.Context())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if !what.given() || only {
			return
		}
		if err := remote.Work(ctx, cluster); err != nil {
			stop(err)
		}
	}()
	defer func() { stop(nil); <-worked }()
	var opts []remote.SubmitOption
	if id != "" {
		opts = append(opts, remote.RunID(id))
	}
	var broken error
	run, err := f.Submit(ctx, cluster, lines(c.InOrStdin(), &broken), opts...)
	if err == nil {
		err = broken
	}
	if err != nil {
		return err
	}
	if only {
		_, err := fmt.Fprintln(c.OutOrStdout(), run.ID())
		return err
	}
	return show(ctx, &run.Handle, c.OutOrStdout(), form)
}

// lines yields the lines of a text. If it breaks off, what is submitted so far is not sealed: the sequence panics
// nowhere, but says so.
func lines(in io.Reader, broken *error) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line, err := range amorsize.Lines(in) {
			if err != nil {
				*broken = err
				return
			}
			if !yield(line) {
				return
			}
		}
	}
}

// show prints the results of a run, in order, as they come.
func show(ctx context.Context, run *remote.Handle, out io.Writer, form string) error {
	w := bufio.NewWriter(out)
	failed := 0
	for r := range run.RawResults(ctx) {
		if r.Index < 0 {
			_ = w.Flush()
			return r.Err
		}
		if r.Err != nil {
			failed++
		}
		if err := write(w, r, form); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return &failure{statusFailed, fmt.Errorf("%d items failed: amorsize-remote runs failed %s", failed, run.ID())}
	}
	return nil
}

// line is a result as JSON.
type line struct {
	Item  int             `json:"item"` // from 1, as amorsize counts
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

func write(w *bufio.Writer, r remote.Result[[]byte], form string) error {
	if form == "jsonl" {
		l := line{Item: r.Index + 1, Value: r.Value}
		if r.Err != nil {
			l.Error = r.Err.Error()
		}
		data, err := json.Marshal(l)
		if err == nil {
			_, err = w.Write(append(data, '\n'))
		}
		return err
	}
	if r.Err != nil {
		return nil
	}
	text := ""
	if err := json.Unmarshal(r.Value, &text); err != nil {
		text = string(r.Value) // of a program's own function
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err := w.WriteString(text)
	return err
}
