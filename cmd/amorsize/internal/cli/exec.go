package cli

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func newExec() *cobra.Command {
	var f runFlags
	var g goFlags
	var as string
	c := &cobra.Command{
		Use:   "exec [flags] PKG.Func [::: item...]",
		Short: "Run a Go function over the items",
		Long: `Run a Go function over the items, as many calls at a time as pay. Results are JSON
lines in the order of the items; those of items that fail are left out, unless
--out jsonl writes an object for every item, with its item64, in base64, where that is
no UTF-8.` + goHelp + `

Every call goes through a pipe, which costs some 20 µs: for calls that are cheaper,
call amorsize.Execute in Go.`,
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
	groups := append([]group{f.input.group(), g.group(), f.size.group(true)}, f.policy.groups(0, "off")...)
	addMixed(c, append(groups, out)...)
}

func execFunction(c *cobra.Command, f *runFlags, g *goFlags, as string, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	target, err := oneTarget(argv, g.fn)
	if err != nil {
		return err
	}
	switch {
	case !oneOf(as, "value", "jsonl"):
		return exit.Usagef("--out %q: want value or jsonl", as)
	case f.output.json && f.output.results == "":
		return exit.Usagef("--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE")
	}
	f.grace = defaultGrace
	f.output.order = !f.size.bisect
	s, err := f.open(c, "exec", argv, list, given)
	if err != nil {
		return err
	}
	if source != nil {
		if err := s.reopen(*source); err != nil {
			return err
		}
	}
	defer func() { _ = s.input.Close() }()
	fn, err := g.function(context.Background(), target, f.size.batch != "1", false, nil)
	if err != nil {
		return err
	}
	binary, err := fn.Build(context.Background())
	if err != nil {
		return targetError(err)
	}
	defer binary.Close()
	defer s.startGuard().Close()
	binary.Started = func(pid int) func() { return s.groups.Adopt(pid, fn.Name) }
	s.what = fn.Name + "   " + fn.Type + "   " + fn.Place
	if s.out, err = output.New(s.term, f.output.config(false, false), s.scope); err != nil {
		return err
	}
	if f.output.dryRun {
		return s.term.Text([]byte(s.what+"\n"), false)
	}
	caller := &caller{s: s, binary: binary, jsonl: as == "jsonl", result: fn.Result}
	s.killed = caller.kill
	defer caller.close()
	return s.run(jobs.Config{Attempt: caller.attempt})
}

// caller calls the function in a process that is started anew when an item has
// ended it.
type caller struct {
	s      *session
	binary *gofunc.Binary
	jsonl  bool
	result bool

	mu     sync.Mutex
	server *gofunc.Server
	over   bool
}

func (c *caller) get() (*gofunc.Server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, errors.New("killed")
	}
	if c.server == nil {
		server, err := c.binary.Serve(c.s.term.AsideWriter(), "")
		if err != nil {
			return nil, err
		}
		c.server = server
	}
	return c.server, nil
}

// drop forgets a server that has ended.
func (c *caller) drop(server *gofunc.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == server {
		c.server = nil
	}
}

// kill ends the calls under way.
func (c *caller) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.server != nil {
		c.server.Kill()
	}
}

func (c *caller) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		c.server.Close()
	}
}

// attempt calls the function with a job's items.
func (c *caller) attempt(_ context.Context, j *jobs.Job, _ int) error {
	raws := make([]json.RawMessage, len(j.Batch))
	for i, it := range j.Batch {
		raws[i] = it.JSON()
	}
	server, err := c.get()
	if err != nil {
		return err
	}
	limit := c.s.timeout()
	began := time.Now()
	answer, err := server.Call(j.First().N, raws, limit)
	j.Wall, j.CPU = time.Since(began), answer.CPU
	if err == nil { // what the pipe takes is not the function's
		j.Wall = answer.Wall
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = &process.TimeoutError{After: limit}
	case errors.Is(err, gofunc.ErrDied):
		c.drop(server)
	}
	return c.present(j, answer, err)
}

// present makes the results lines.
func (c *caller) present(j *jobs.Job, answer gofunc.Answer, err error) error {
	var out []byte
	for i, it := range j.Batch {
		var value json.RawMessage
		if i < len(answer.Results) {
			value = answer.Results[i]
		}
		switch {
		case c.jsonl:
			line := struct {
				N      int             `json:"n"`
				Item   json.RawMessage `json:"item,omitempty"`
				Item64 []byte          `json:"item64,omitempty"` // if it is no UTF-8
				Value  json.RawMessage `json:"value,omitempty"`
				Error  string          `json:"error,omitempty"`
			}{N: it.N, Value: value}
			line.Item, line.Item64 = it.Told()
			if err != nil {
				line.Error = err.Error()
			}
			raw, failure := json.Marshal(line)
			if failure != nil {
				return failure
			}
			out = append(append(out, raw...), '\n')
		case err == nil && c.result:
			out = append(append(out, value...), '\n')
		}
	}
	j.Out = process.Bytes(out)
	return err
}
