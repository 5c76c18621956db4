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
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/remote"
)

func pathEscape(text string) string { return url.PathEscape(text) }

// submission is what a run is made of, as flags say.
type submission struct {
	where place
	what  job
	from  items.Source
	id    string
	only  bool
	form  string
}

const ofRuns = `
If it is killed, start it again with the same --id and the same items: it continues
where it was, and prints all results. Exit status 1 means that items failed: see runs
failed.`

func newRun() *cobra.Command {
	var s submission
	c := &cobra.Command{
		Use:   "run --on DATABASE --id NAME [flags] [-- COMMAND [ARGUMENT...]] [::: ITEM...] < ITEMS",
		Short: "Run a command over the items, and print its output in the items' order",
		Long: `Run a command over the items, and print its output in the items' order.` + ofRuns + `
With a command, this process works on the items too; without one, workers of that
--name must run.`,
		RunE: func(c *cobra.Command, args []string) error {
			s.what.argv = s.items(args)
			return s.run(c)
		},
	}
	s.flags(c)
	s.what.kinds(c)
	return c
}

func newHTTP() *cobra.Command {
	var s submission
	c := &cobra.Command{
		Use:   "http --on DATABASE --id NAME [flags] URL [::: ITEM...] < ITEMS",
		Short: "Request a URL for each item, and print the bodies in the items' order",
		Long:  `Request a URL for each item ({} is the item), and print the bodies in the items' order.` + ofRuns,
		RunE:  func(c *cobra.Command, args []string) error { return s.one(c, args, &s.what.url, "URL") },
	}
	s.flags(c)
	return c
}

func newExec() *cobra.Command {
	var s submission
	c := &cobra.Command{
		Use:   "exec --on DATABASE --id NAME [flags] PKG.Func [::: ITEM...] < ITEMS",
		Short: "Call a Go function with each item, and print the results in the items' order",
		Long:  `Call a Go function with each item, and print the results, as JSON, in the items' order.` + ofRuns,
		RunE:  func(c *cobra.Command, args []string) error { return s.one(c, args, &s.what.fn, "PKG.Func") },
	}
	s.flags(c)
	return c
}

func (s *submission) flags(c *cobra.Command) {
	s.where.flags(c)
	s.what.flags(c)
	c.Flags().StringVar(&s.id, "id", "", "the run's name: a run of that name is continued (default: a new name)")
	c.Flags().BoolVar(&s.only, "submit-only", false, "exit once all items are submitted; runs results prints the results")
	c.Flags().StringVar(&s.form, "out", "text", "results as text, or as jsonl with item numbers and errors")
	c.Flags().StringVarP(&s.from.File, "arg-file", "a", "", "read the items from this file (default standard input)")
	c.Flags().BoolVarP(&s.from.NUL, "null", "0", false, "items end with a NUL byte, as find -print0 writes them")
	c.Flags().StringVar(&s.from.Range, "range", "", "the items are numbers: 10 is 1 to 10; also 5-10, or 0-100/10 for steps of 10")
}

// items takes what follows ":::" from the arguments.
func (s *submission) items(args []string) []string {
	at := slices.Index(args, ":::")
	if at < 0 {
		return args
	}
	s.from.Args, s.from.UseArgs = args[at+1:], true
	return args[:at]
}

// one runs what has one argument besides items.
func (s *submission) one(c *cobra.Command, args []string, to *string, what string) error {
	if args = s.items(args); len(args) != 1 {
		return fmt.Errorf("%w: give one %s, then ::: and the items", errUsage, what)
	}
	*to = args[0]
	return s.run(c)
}

func (s *submission) run(c *cobra.Command) error {
	if !s.what.given() && s.what.name == "" {
		return fmt.Errorf("%w: give a command, --url, --go, or the --name of workers", errUsage)
	}
	if s.form != "text" && s.form != "jsonl" {
		return fmt.Errorf("%w: --out must be text or jsonl", errUsage)
	}
	if s.from.UseArgs && s.from.Range != "" || s.from.File != "" && (s.from.UseArgs || s.from.Range != "") {
		return fmt.Errorf("%w: items have one source: use :::, --range or --arg-file", errUsage)
	}
	input, err := s.from.Open(c.InOrStdin())
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	defer func() { _ = input.Close() }()
	cluster, err := s.where.open(c)
	if err != nil {
		return err
	}
	defer cluster.Close()
	defer s.what.close() // when it works no longer
	return s.submit(c, cluster, input)
}

func (s *submission) submit(c *cobra.Command, cluster *remote.Cluster, input *items.Input) error {
	f, err := s.what.register(c.Context(), cluster)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(c.Context())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if !s.what.given() || s.only {
			return
		}
		if err := remote.Work(ctx, cluster); err != nil {
			stop(err)
		}
	}()
	defer func() { stop(nil); <-worked }()
	var opts []remote.SubmitOption
	if s.id != "" {
		opts = append(opts, remote.RunID(s.id))
	}
	submitting, broken := context.WithCancelCause(ctx)
	run, err := f.Submit(submitting, cluster, texts(input, broken), opts...)
	broken(nil)
	if err != nil {
		return err
	}
	if s.only {
		_, err := fmt.Fprintln(c.OutOrStdout(), run.ID())
		return err
	}
	if !s.what.given() {
		missed(ctx, c, cluster, s.what.name)
	}
	return show(ctx, &run.Handle, c.OutOrStdout(), s.form)
}

// missed says that nobody is there to do it, since a run waits for that without a word.
func missed(ctx context.Context, c *cobra.Command, cluster *remote.Cluster, name string) {
	workers, err := cluster.Workers(ctx)
	if err == nil && !slices.ContainsFunc(workers, func(w remote.WorkerInfo) bool { return slices.Contains(w.Functions, name) }) {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "amorsize-remote: no worker for the job %s yet: waiting for one\n", name)
	}
}

// texts yields the items. If the input breaks off, the submission is ended by its error, and not sealed.
func texts(input *items.Input, broken context.CancelCauseFunc) func(func(string) bool) {
	return func(yield func(string) bool) {
		for item := range input.All() {
			if !utf8.ValidString(item.Text) {
				broken(fmt.Errorf("%w: item %d is not UTF-8: %.80q; items must be text", errUsage, item.N, item.Text))
				return
			}
			if !yield(item.Text) {
				return
			}
		}
		if err := input.Err(); err != nil {
			broken(err)
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
		return &failure{statusFailed, fmt.Errorf("failed items: %d; details: amorsize-remote runs failed --on … %s", failed, run.ID())}
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
