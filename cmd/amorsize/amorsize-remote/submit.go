package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
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
	submitting, broken := context.WithCancelCause(ctx)
	run, err := f.Submit(submitting, cluster, lines(c.InOrStdin(), broken), opts...)
	broken(nil)
	if err != nil {
		return err
	}
	if only {
		_, err := fmt.Fprintln(c.OutOrStdout(), run.ID())
		return err
	}
	if !what.given() {
		missed(ctx, c, cluster, what.name)
	}
	return show(ctx, &run.Handle, c.OutOrStdout(), form)
}

// missed says that nobody is there to do it, since a run waits for that without a word.
func missed(ctx context.Context, c *cobra.Command, cluster *remote.Cluster, name string) {
	workers, err := cluster.Workers(ctx)
	if err == nil && !slices.ContainsFunc(workers, func(w remote.WorkerInfo) bool { return slices.Contains(w.Functions, name) }) {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "amorsize-remote: no worker has the job %s yet: waiting for one\n", name)
	}
}

// lines yields the lines of a text. If that breaks off, the submission is ended by its error, and not sealed.
func lines(in io.Reader, broken context.CancelCauseFunc) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line, err := range amorsize.Lines(in) {
			if err != nil {
				broken(err)
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
	ctx, cancel := context.WithCancel(ctx)
	next, stop := asTheyCome(run.RawResults(ctx), func() { _ = w.Flush() })
	defer func() { cancel(); stop() }()
	for r, more := next(); more; r, more = next() {
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
		return &failure{statusFailed, fmt.Errorf("failed items: %d; for more: amorsize-remote runs failed --on … %s", failed, run.ID())}
	}
	return nil
}

// asTheyCome returns results one by one, and calls idle before it waits for one: so what is there is shown.
func asTheyCome(results iter.Seq[remote.Result[[]byte]], idle func()) (next func() (remote.Result[[]byte], bool), stop func()) {
	ready, left := make(chan remote.Result[[]byte], 256), make(chan struct{})
	go func() {
		defer close(ready)
		for r := range results {
			select {
			case ready <- r:
			case <-left:
				return
			}
		}
	}()
	next = func() (r remote.Result[[]byte], more bool) {
		select {
		case r, more = <-ready:
		default:
			idle()
			r, more = <-ready
		}
		return r, more
	}
	return next, func() {
		close(left)
		for range ready {
		}
	}
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
			var item *remote.ItemError
			if errors.As(r.Err, &item) {
				l.Error = item.Message
			}
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
