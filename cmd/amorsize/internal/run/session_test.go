package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

func TestRun(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	before := time.Now()
	status, err := b.run(newRunner(nil))
	require.NoError(t, err)
	require.False(t, b.env.State.Began.Before(before), "it is known when it began")
	require.Equal(t, exit.OK, status)
	require.Equal(t, "did a\ndid b\ndid c\n", b.read("stdout"))
	require.Contains(t, b.read("stderr"), "amorsize: 3 items")
	require.Contains(t, b.read("stderr"), "3 ok · 0 failed")
	require.NotContains(t, b.read("stderr"), "again:")
}

func TestQuiet(t *testing.T) {
	b := newBench(t, "a", "b")
	b.cfg.Show = Show{Quiet: true, Progress: ProgressAuto}
	status, err := b.run(newRunner(fails("b")))
	require.Equal(t, exit.Failed, status)
	require.EqualError(t, err, "exit 1")
	require.Empty(t, b.read("stderr"))
}

// What failed is told, exported, and decides the status.
func TestFailures(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.cfg.Summary = Summary{File: b.path("summary.json"), JSON: true}
	b.cfg.Show.Verbose = true
	status, _ := b.run(newRunner(fails("b")))
	require.Equal(t, exit.Failed, status)
	stderr := b.read("stderr")
	require.Contains(t, stderr, `#2 "b" try 1: exit 3`)
	require.Contains(t, stderr, "2 ok · 1 failed")
	require.Contains(t, stderr, "again: next time add --log run.jsonl")
	var sum struct {
		Total, OK, Failed, Exit int
		Cmd                     string
	}
	require.NoError(t, json.Unmarshal([]byte(b.read("summary.json")), &sum))
	require.Equal(t, []any{3, 2, 1, 1, "run"}, []any{sum.Total, sum.OK, sum.Failed, sum.Exit, sum.Cmd})
	require.Contains(t, b.read("stdout"), b.read("summary.json"), "the same on standard output")
	require.True(t, strings.HasSuffix(b.read("summary.json"), "}\n"), "a line, for programs that read lines")

	b.cfg.Summary.ExitZero = true
	status, err := b.run(newRunner(fails("b")))
	require.NoError(t, err)
	require.Equal(t, exit.OK, status)
	b.cfg.Summary.File = filepath.Join(b.dir, "none", "summary.json")
	status, err = b.run(newRunner(nil))
	require.Equal(t, exit.BadUsage, status)
	require.ErrorContains(t, err, "--summary")
}

// --halt-now ends also what runs and is no process group.
func TestHaltNow(t *testing.T) {
	b := newBench(t, "a", "wait", "c")
	b.cfg.Size = jobs.Size{Fixed: 2}
	halt, err := policies.ParseHalt("1")
	require.NoError(t, err)
	b.cfg.Ends = Ends{Halt: halt, HaltText: "1", HaltNow: true}
	waits := make(chan struct{})
	r := newRunner(nil)
	r.do = func(ctx context.Context, j *jobs.Job) error {
		switch j.First().Text {
		case "a":
			<-waits
			return errors.New("bad")
		case "wait":
			close(waits)
			<-r.killed
		}
		return nil
	}
	status, _ := b.run(r)
	require.Equal(t, exit.Halted, status)
	require.NotContains(t, r.tried, "c")
}

func TestDeadline(t *testing.T) {
	b := newBench(t, "a", "b")
	b.cfg.Ends.Deadline = 1 // also the shortest one is one
	r := newRunner(nil)
	r.do = func(ctx context.Context, _ *jobs.Job) error {
		<-ctx.Done()
		return nil
	}
	status, _ := b.run(r)
	require.Equal(t, exit.Resumable, status)
	require.NotContains(t, r.tried, "b")
	require.Regexp(t, `[12] left`, b.read("stderr")) // the deadline may come before the first item
}

// The time of a run is that from its beginning, whoever asks first; its progress is shown before jobs are.
func TestBeganBeforeItIsShown(t *testing.T) {
	b := newBench(t, "a")
	r := newRunner(nil)
	var began time.Time
	r.traits = func() jobs.Traits { began = b.env.State.Began; return jobs.Traits{} }
	_, err := b.run(r)
	require.NoError(t, err)
	require.False(t, began.IsZero())
	require.Equal(t, began, b.env.State.Began)
}

// The runner says which failures of its jobs are worth a retry.
func TestRunnerSaysWhatToRetry(t *testing.T) {
	b := newBench(t, "a", "b")
	b.options = policies.Options{Retries: 1, Backoff: "1ms"}
	r := newRunner(func(_ context.Context, j *jobs.Job) error { return errors.New(j.First().Text) })
	r.traits = func() jobs.Traits {
		return jobs.Traits{Again: func(s policies.Seen) bool { return s.Err.Error() == "b" }}
	}
	status, _ := b.run(r)
	require.Equal(t, exit.Failed, status)
	require.Equal(t, []string{"a", "b", "b"}, slices.Sorted(slices.Values(r.tried)))
}

// A run whose items can't be read to their end says so.
func TestItemsThatCannotBeRead(t *testing.T) {
	b := newBench(t)
	b.source = items.Source{}
	in, err := os.OpenFile(b.path("items"), os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	b.streams.In = in
	status, err := b.run(newRunner(nil))
	require.Equal(t, exit.BadUsage, status)
	require.ErrorContains(t, err, "bad file descriptor")
}

// A result that was passed on takes no more room.
func TestResultsAreReleased(t *testing.T) {
	b := newBench(t, "a")
	env, out := b.open()
	set, err := policies.New(policies.Options{})
	require.NoError(t, err)
	b.cfg.Policies = set
	s, err := New(b.cfg, env, out, newRunner(nil))
	require.NoError(t, err)
	j := job("a")
	j.Out = process.Bytes([]byte("result\n"))
	require.NoError(t, audience{s}.Over(j))
	require.Equal(t, "result\n", b.read("stdout"))
	require.Zero(t, j.Out.Size())
}

// A runner may find out when all is over that results were wrong.
func TestSettle(t *testing.T) {
	b := newBench(t, "a")
	r := newRunner(nil)
	r.settle = func() { b.env.Control.Stop(errors.New("wrong after all")) }
	status, err := b.run(r)
	require.Equal(t, exit.BadUsage, status)
	require.ErrorContains(t, err, "wrong after all")
}

// Where nobody reads results any more, the run ends at once, without a word.
func TestPipeClosed(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = write.Close() }()
	require.NoError(t, read.Close())
	b := newBench(t, "a", "b", "c")
	b.streams.Out = write
	b.cfg.Show.Quiet = true
	r := newRunner(nil)
	r.do = func(ctx context.Context, j *jobs.Job) error {
		if j.First().N > 1 {
			<-ctx.Done()
		}
		return nil
	}
	status, _ := b.run(r)
	require.Equal(t, exit.PipeClosed, status)
	require.NotContains(t, r.tried, "c")
	require.Empty(t, b.read("stderr"))
}

// An item whose result can't be written is not over in the log.
func TestResultsFail(t *testing.T) {
	b := newBench(t, "a", "b")
	b.cfg.Log.Path, b.results = b.path("log"), b.path("{}/x")
	require.NoError(t, os.WriteFile(b.path("a"), nil, 0o600))
	status, err := b.run(newRunner(nil))
	require.Equal(t, exit.BadUsage, status)
	require.ErrorIs(t, err, jobs.ErrOutput)
	require.NotContains(t, b.read("log"), `"type":"item","n":1`)
}

// Lines of running jobs are passed on as they come. If they can't be, the run ends.
func TestLines(t *testing.T) {
	b := newBench(t, "a")
	env, out := b.open()
	pass, err := env.Lines(out)(job("a"), 0)
	require.NoError(t, err)
	pass([]byte("one\n"), false)
	pass([]byte("two\n"), true)
	require.Equal(t, "one\n", b.read("stdout"))
	require.Equal(t, "two\n", b.read("stderr"))
	require.NoError(t, env.Control.Stopped())
	require.NoError(t, b.streams.Out.Close())
	pass([]byte("three\n"), false)
	require.ErrorIs(t, env.Control.Stopped(), os.ErrClosed)
}

func TestPreview(t *testing.T) {
	b := newBench(t, "a", "b")
	env, _ := b.open()
	require.NoError(t, env.Preview(func(it items.Item) (string, error) { return fmt.Sprint(it.N, " ", it.Text), nil }))
	require.Equal(t, "1 a\n2 b\n", b.read("stdout"))
	env, _ = b.open()
	var status *exit.Error
	require.ErrorAs(t, env.Preview(func(items.Item) (string, error) { return "", io.EOF }), &status)
	require.Equal(t, exit.BadUsage, status.Code)
	_, err := Open(items.Source{Range: "x"}, b.streams, ui.ColorNever)
	require.ErrorAs(t, err, &status)
}

func TestTimeout(t *testing.T) {
	b := newBench(t, "a", "b", "c", "d", "e", "f")
	fixed, err := policies.ParseTimeout("30s")
	require.NoError(t, err)
	usual, err := policies.ParseTimeout("5x")
	require.NoError(t, err)
	status, _ := b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.Equal(t, 30*time.Second, b.env.Timeout(fixed)())
	require.Equal(t, 5*time.Millisecond, b.env.Timeout(usual)(), "of what attempts took")
	require.Zero(t, b.env.Timeout(policies.Timeout{})())
	fresh, _ := b.open()
	require.Zero(t, fresh.Timeout(usual)(), "as long as that is not known")
}

// No result is written to the log, by whatever name.
func TestResultsBesideTheLog(t *testing.T) {
	b := newBench(t, "hard", "other")
	b.cfg.Log.Path, b.results = b.path("log"), b.path("{}")
	require.NoError(t, os.WriteFile(b.path("log"), nil, 0o600))
	require.NoError(t, os.Symlink("log", b.path("hard")))
	status, err := b.run(newRunner(nil))
	require.NotContains(t, b.read("log"), "did hard", status, err)
}

// A timeout of so many times what an attempt takes is none as long as that isn't known.
func TestTimeoutNotKnown(t *testing.T) {
	env := &Environment{State: new(jobs.State)}
	require.Equal(t, time.Hour, env.Timeout(policies.Timeout{Fixed: time.Hour})())
	require.Zero(t, env.Timeout(policies.Timeout{Times: 1, Fixed: time.Hour})(), "not known yet: for ever")
}

// meteredRunner knows what its jobs have cost.
type meteredRunner struct {
	*runner
	total *usage.Total
}

func (r meteredRunner) Usage() *usage.Total { return r.total }

// What calls have cost stands in the summary, if anybody asked.
func TestUsage(t *testing.T) {
	b := newBench(t, "a")
	b.cfg.Summary.File = b.path("summary.json")
	status, _ := b.run(meteredRunner{newRunner(nil), &usage.Total{Calls: 1, In: 3, Out: 4, All: 7}})
	require.Equal(t, exit.OK, status)
	require.Contains(t, b.read("stderr"), "  usage        tokens\n  in                3\n")
	require.Contains(t, b.read("summary.json"), `"usage":{"calls":1,"in":3,"out":4,"all":7,"cost":0}`)
	status, _ = b.run(meteredRunner{newRunner(nil), nil})
	require.Equal(t, exit.OK, status)
	require.NotContains(t, b.read("summary.json"), "usage")
}
