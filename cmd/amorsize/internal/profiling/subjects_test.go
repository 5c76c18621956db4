package profiling

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// commands returns a subject whose attempts take 10 ms, 2 ms of them on a core, and of
// which the items that are listed fail.
func commands(t *testing.T, fail ...int) (c *Commands, sizes func() []int, released *int) {
	t.Helper()
	set, err := policies.New(policies.Options{})
	require.NoError(t, err)
	var mu sync.Mutex
	var list []int
	released = new(int)
	return &Commands{
		Control: jobs.NewControl(t.Context()), Set: set, Batch: jobs.BatchSize{Fixed: 1},
		Results: func(*jobs.Job) error { return errors.New("nowhere to put it") },
		Release: func() { *released++ },
		Attempt: func(_ context.Context, j *jobs.Job, _ int) error {
			mu.Lock()
			list = append(list, len(j.Batch))
			mu.Unlock()
			j.Wall, j.CPU, j.Memory = 10*ms, 2*ms, 5000
			if slices.Contains(fail, j.First().N) {
				return errors.New("bad")
			}
			return nil
		},
	}, func() []int { return list }, released
}

func TestCommandsSample(t *testing.T) {
	c, _, released := commands(t, 2, 3)
	m, err := c.Sample(t.Context(), list(20), time.Minute)
	require.NoError(t, err)
	require.Equal(t, []any{20, 10 * ms, 2 * ms, int64(5000), 2}, []any{m.Items, m.Wall, m.CPU, m.Memory, m.Failed})
	require.EqualError(t, m.First, "item 2: bad: bad")
	c.Close()
	require.Equal(t, 1, *released)

	c.Control.Stop(jobs.ErrInterrupted)
	_, err = c.Sample(t.Context(), list(20), time.Minute)
	require.ErrorIs(t, err, jobs.ErrInterrupted)
}

func TestCommandsRunAt(t *testing.T) {
	for name, c := range map[string]struct {
		own   jobs.BatchSize
		batch int
		want  int
	}{
		"its own":       {jobs.BatchSize{Fixed: 2}, 0, 2},
		"given":         {jobs.BatchSize{Fixed: 2}, 5, 5},
		"one, as given": {jobs.BatchSize{Fixed: 2}, 1, 1},
		"to be found":   {jobs.BatchSize{Auto: true}, 0, 1},
		"found to be 5": {jobs.BatchSize{Auto: true}, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			subject, sizes, _ := commands(t, 1)
			subject.Batch = c.own
			r, err := subject.RunAt(t.Context(), list(20), 3, c.batch)
			require.NoError(t, err)
			require.Equal(t, []int{20, 1}, []int{r.Items, r.Failed})
			require.Len(t, sizes(), 20/c.want)
			require.Equal(t, time.Duration(20/c.want)*2*ms, r.CPU)
			require.InDelta(t, float64(10*ms), float64(r.P95), float64(ms))
			require.Positive(t, r.Memory)
		})
	}
	subject, _, _ := commands(t)
	subject.Control.Stop(jobs.ErrTerminated)
	_, err := subject.RunAt(t.Context(), list(20), 3, 0)
	require.ErrorIs(t, err, jobs.ErrTerminated)
}

// binary is a built function that keeps how it was run.
type binary struct {
	run    gofunc.Run
	sample *gofunc.Sample
	err    error
	closed bool
}

func (b *binary) Sample(_ context.Context, run gofunc.Run) (*gofunc.Sample, error) {
	b.run = run
	return b.sample, b.err
}

func (b *binary) Parallel(_ context.Context, run gofunc.Run) (*gofunc.Parallel, error) {
	b.run = run
	return &gofunc.Parallel{Items: len(run.Items), Wall: time.Second, CPU: 2 * ms, P95: 3 * ms, Failed: 4}, b.err
}

func (b *binary) Close() { b.closed = true }

func TestFunctions(t *testing.T) {
	var out bytes.Buffer
	released := false
	b := &binary{sample: &gofunc.Sample{Items: 7, Wall: 70 * ms, CPU: 7 * ms, Bytes: 5, Allocs: 2, Failed: 1, First: errors.New("no"), Blocks: []gofunc.Block{{Items: 7, Wall: 70 * ms}}}}
	f := &Functions{Binary: b, Batch: 3, Output: &out, Release: func() { released = true }}
	m, err := f.Sample(t.Context(), list(9), 2*time.Second)
	require.NoError(t, err)
	require.Equal(t, gofunc.Run{Items: list(9), Batch: 3, Budget: 2 * time.Second, Output: &out}, b.run)
	require.Equal(t, []any{7, 10 * ms, 5.0, 2.0, 1}, []any{m.Items, m.Wall, m.Bytes, m.Allocs, m.Failed})
	require.EqualError(t, m.First, "no")

	r, err := f.RunAt(t.Context(), list(9), 4, 0)
	require.NoError(t, err)
	require.Equal(t, Rung{Items: 9, Wall: time.Second, CPU: 2 * ms, P95: 3 * ms, Failed: 4}, r)
	require.Equal(t, []int{4, 3}, []int{b.run.Workers, b.run.Batch})
	_, err = f.RunAt(t.Context(), list(9), 4, 16)
	require.NoError(t, err)
	require.Equal(t, 16, b.run.Batch)
	_, err = f.RunAt(t.Context(), list(9), 4, 1)
	require.NoError(t, err)
	require.Equal(t, 1, b.run.Batch)

	b.err = gofunc.ErrTarget
	var status *exit.Error
	_, err = f.Sample(t.Context(), list(9), time.Second)
	require.ErrorAs(t, err, &status)
	require.Equal(t, exit.BadTarget, status.Code)
	_, err = f.RunAt(t.Context(), list(9), 4, 0)
	require.ErrorAs(t, err, &status)
	f.Close()
	require.True(t, b.closed && released)
}

// Blocks of calls are summed up without the first one, which is cold.
func TestBlockCost(t *testing.T) {
	c := blockCost(&gofunc.Sample{
		Items: 21, Wall: time.Second, CPU: 250 * ms,
		Blocks: []gofunc.Block{{Items: 1, Wall: 400 * ms}, {Items: 10, Wall: 40 * ms}, {Items: 10, Wall: 60 * ms}},
	})
	require.Equal(t, []any{21, 5 * ms, time.Second}, []any{c.Items, c.Wall, c.Elapsed})
	require.Equal(t, 2500*time.Microsecond, c.CPU, "half of the calls' time")
	require.InDelta(t, 0.894, c.CV, 0.001, "√(10 calls × 1 ms² + 10 × 1 ms²) over 5 ms")
	three := blockCost(&gofunc.Sample{
		Items: 31, Wall: time.Second, Blocks: []gofunc.Block{{Items: 1}, {Items: 10, Wall: 40 * ms}, {Items: 10, Wall: 50 * ms}, {Items: 10, Wall: 60 * ms}},
	})
	require.InDelta(t, 0.632, three.CV, 0.001, "√((10 + 0 + 10) × 1 ms² / 2) over 5 ms")
	exact := blockCost(&gofunc.Sample{Items: 2, Wall: ms, CPU: ms / 2, Blocks: []gofunc.Block{{Items: 2, Wall: ms}}})
	require.Equal(t, ms/4, exact.CPU, "a millisecond tells")
	one := blockCost(&gofunc.Sample{Items: 2, Wall: ms, CPU: ms, Blocks: []gofunc.Block{{Items: 2, Wall: ms / 2}}})
	require.Equal(t, []any{ms / 4, ms / 4, 0.0}, []any{one.Wall, one.CPU, one.CV}, "too short to tell: it computes")
	single := blockCost(&gofunc.Sample{Items: 1, Wall: ms, CPU: ms, Blocks: []gofunc.Block{{Items: 1, Wall: ms}}})
	require.Equal(t, ms, single.Wall)
	none := blockCost(&gofunc.Sample{Wall: ms})
	require.Zero(t, none.Wall)
	two := blockCost(&gofunc.Sample{Items: 5, Wall: ms, Blocks: []gofunc.Block{{Items: 1, Wall: 400 * ms}, {Items: 4, Wall: 8 * ms}}})
	require.Equal(t, 2*ms, two.Wall, "the first one is left out of two, too")
	busy := blockCost(&gofunc.Sample{Items: 2, Wall: 2 * ms, CPU: 8 * ms, Blocks: []gofunc.Block{{Items: 2, Wall: 2 * ms}}})
	require.Equal(t, ms, busy.CPU, "a call that keeps four cores busy computes for no longer than it takes")
}

// A clock that is too coarse for the calls says nothing of them: then they cost something, the least there is, so
// that what divides by it has a result.
func TestBlockCostBelowTheClock(t *testing.T) {
	for name, blocks := range map[string][]gofunc.Block{
		"nothing":              {{Items: 1, Wall: ms}, {Items: 4}, {Items: 16}},
		"less than one a call": {{Items: 1, Wall: ms}, {Items: 4, Wall: 1}, {Items: 16, Wall: 18}},
	} {
		t.Run(name, func(t *testing.T) {
			c := blockCost(&gofunc.Sample{Items: 21, Wall: 2 * ms, CPU: ms / 2, Blocks: blocks})
			require.Equal(t, jobs.Cost{Jobs: 21, Items: 21, Elapsed: 2 * ms, Wall: 1, CPU: 1}, c)
			target := &Target{Subject: &model{sample: Measured{Cost: c}}, Function: new(gofunc.Function)}
			text := profileOf(t, target, 21).Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever))
			require.Contains(t, text, "item 1 ns ± 0 %  CPU 1 ns  waiting 0 %")
			require.Contains(t, text, "\n>       1      21 ns      1.00\n", "and all of them take as long as they are")
		})
	}
	told := blockCost(&gofunc.Sample{Items: 5, Wall: 5, Blocks: []gofunc.Block{{Items: 1}, {Items: 2, Wall: 1}, {Items: 2, Wall: 3}}})
	require.Equal(t, time.Nanosecond, told.Wall)
	require.InDelta(t, 1, told.CV, 1e-9, "of one nanosecond each it tells")
}

// The number of workers is what was asked for, from the first job on.
func TestCommandsRunAtWorkers(t *testing.T) {
	for workers, rounds := range map[int]time.Duration{1: 20, 3: 7, 20: 1} { // of 10 ms
		synctest.Test(t, func(t *testing.T) {
			c, _, _ := commands(t)
			attempt := c.Attempt
			c.Attempt = func(ctx context.Context, j *jobs.Job, slot int) error {
				time.Sleep(10 * ms)
				return attempt(ctx, j, slot)
			}
			r, err := c.RunAt(t.Context(), list(20), workers, 0)
			require.NoError(t, err)
			require.Equal(t, rounds*10*ms, r.Wall, workers)
		})
	}
}

// A job's output is held until its results are taken, and not longer.
func TestCommandsGiveOutputBack(t *testing.T) {
	c, _, _ := commands(t)
	attempt := c.Attempt
	var all []*jobs.Job
	c.Attempt = func(ctx context.Context, j *jobs.Job, slot int) error {
		j.Out = process.Bytes([]byte("text"))
		return attempt(ctx, j, slot)
	}
	c.Results = func(j *jobs.Job) error {
		require.Equal(t, int64(4), j.Out.Size())
		all = append(all, j)
		return nil
	}
	_, err := c.RunAt(t.Context(), list(3), 2, 0)
	require.NoError(t, err)
	require.Len(t, all, 3)
	for _, j := range all {
		require.Zero(t, j.Out.Size())
	}
}
