package run

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == process.GuardArgument {
		process.BeGuard()
		return
	}
	_ = os.Setenv("AMORSIZE_HISTORY", "off")
	goleak.VerifyTestMain(m)
}

// runner does with each item what its text says, and "did TEXT" is its result.
type runner struct {
	mu     sync.Mutex
	tried  []string
	do     func(context.Context, *jobs.Job) error // nil is no failure
	killed chan struct{}
	settle func()
	traits func() jobs.Traits // nil is none
}

func newRunner(do func(context.Context, *jobs.Job) error) *runner {
	return &runner{do: do, killed: make(chan struct{})}
}

func (r *runner) Attempt(ctx context.Context, j *jobs.Job, _ int) error {
	r.mu.Lock()
	r.tried = append(r.tried, j.First().Text)
	r.mu.Unlock()
	j.Wall = time.Millisecond
	j.Out = process.Bytes([]byte("did " + j.First().Text + "\n"))
	if r.do == nil {
		return nil
	}
	return r.do(ctx, j)
}

func (r *runner) Close() {}
func (r *runner) Kill()  { close(r.killed) }

func (r *runner) Traits() jobs.Traits {
	if r.traits != nil {
		return r.traits()
	}
	return jobs.Traits{}
}

func (r *runner) Settle() {
	if r.settle != nil {
		r.settle()
	}
}

// bench is where a session is tried: its streams are files.
type bench struct {
	t       *testing.T
	dir     string
	source  items.Source
	cfg     Config
	results string
	options policies.Options
	streams Streams
	env     *Environment // of the latest run
}

func newBench(t *testing.T, args ...string) *bench {
	t.Helper()
	b := &bench{
		t: t, dir: t.TempDir(), source: items.Source{Args: args, UseArgs: true},
		cfg: Config{
			Name: "run", Args: []string{"do"}, Version: "test", What: "do",
			Size: jobs.Size{Fixed: 1}, Batch: jobs.BatchSize{Fixed: 1}, Ordered: true, Show: Show{Progress: ProgressNone},
		},
	}
	b.streams = Streams{b.file("stdin"), b.file("stdout"), b.file("stderr")}
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) file(name string) *os.File {
	f, err := os.OpenFile(b.path(name), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (b *bench) read(name string) string {
	raw, err := os.ReadFile(b.path(name))
	require.NoError(b.t, err)
	return string(raw)
}

// stream has the items be lines of a pipe, of which it is not known how many there are.
func (b *bench) stream(text string) {
	in, w, err := os.Pipe()
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = in.Close() })
	_, err = w.WriteString(text)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	b.source, b.streams.In = items.Source{}, in
}

// open returns what a session is made of.
func (b *bench) open() (*Environment, *output.Output) {
	b.t.Helper()
	env, err := Open(b.source, b.streams, ui.ColorNever)
	require.NoError(b.t, err)
	b.t.Cleanup(env.Close)
	out, err := output.New(env.Terminal, output.Config{Results: b.results}, env.Scope())
	require.NoError(b.t, err)
	b.env = env
	return env, out
}

// run runs a session, and returns the status of the command and its error.
func (b *bench) run(r Runner) (int, error) {
	b.t.Helper()
	env, out := b.open()
	cfg := b.cfg
	set, err := policies.New(b.options)
	require.NoError(b.t, err)
	cfg.Policies = set
	s, err := New(cfg, env, out, r)
	if err == nil {
		err = s.Run()
	}
	if err == nil {
		return exit.OK, nil
	}
	var status *exit.Error
	require.ErrorAs(b.t, err, &status)
	return status.Code, err
}

// job returns a job of one item.
func job(text string) *jobs.Job { return &jobs.Job{Batch: []items.Item{items.Of(1, text)}} }

// fails has items of these texts fail.
func fails(texts ...string) func(context.Context, *jobs.Job) error {
	return func(_ context.Context, j *jobs.Job) error {
		if slices.Contains(texts, j.First().Text) {
			return &process.ExitError{Code: 3}
		}
		return nil
	}
}
