package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(n int) iter.Seq[items.Item] {
	return func(yield func(items.Item) bool) {
		for i := range n {
			if !yield(items.Of(i+1, fmt.Sprint(i+1))) {
				return
			}
		}
	}
}

// observer calls functions; those that are nil it does without.
type observer struct {
	planned func(jobs.Plan)
	tried   func(*jobs.Job, error) error
	over    func(*jobs.Job) error
}

func (o *observer) Planned(p jobs.Plan) {
	if o.planned != nil {
		o.planned(p)
	}
}

func (o *observer) Tried(j *jobs.Job, err error) error {
	if o.tried != nil {
		return o.tried(j, err)
	}
	return nil
}

func (o *observer) Over(j *jobs.Job) error {
	if o.over != nil {
		return o.over(j)
	}
	return nil
}

// outcome is what a run did with each item.
type outcome struct {
	order   []int
	failed  []int
	batches []int
	plan    jobs.Plan
	result  jobs.Result
	state   jobs.State
}

func run(t *testing.T, n int, o policies.Options, change func(*jobs.Config), attempt func(j *jobs.Job) error) *outcome {
	t.Helper()
	set, err := policies.New(o)
	require.NoError(t, err)
	var got outcome
	var slots [4096]atomic.Bool
	cfg := jobs.Config{
		Items: numbers(n), Total: n, Set: set, Control: jobs.NewControl(t.Context()), Size: jobs.Size{Fixed: 4}, Batch: jobs.BatchSize{Fixed: 1},
		Attempt: func(_ context.Context, j *jobs.Job, slot int) error {
			if !slots[slot].CompareAndSwap(false, true) {
				return errors.New("the slot is taken")
			}
			defer slots[slot].Store(false)
			return attempt(j)
		},
		Observer: &observer{planned: func(p jobs.Plan) { got.plan = p }, over: func(j *jobs.Job) error {
			got.batches = append(got.batches, len(j.Batch))
			for _, it := range j.Batch {
				got.order = append(got.order, it.N)
				if j.Err != nil {
					got.failed = append(got.failed, it.N)
				}
			}
			return nil
		}},
	}
	if change != nil {
		change(&cfg)
	}
	got.result = jobs.Run(cfg, &got.state)
	return &got
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i+1)
	}
	return list
}

func TestEachItemOnce(t *testing.T) {
	for name, change := range map[string]func(*jobs.Config){
		"fixed":             nil,
		"measured":          func(c *jobs.Config) { c.Size = jobs.Size{} },
		"bounded":           func(c *jobs.Config) { c.Size = jobs.Size{Most: 3} },
		"within":            func(c *jobs.Config) { c.Size, c.Within = jobs.Size{}, true },
		"batches":           func(c *jobs.Config) { c.Batch = jobs.BatchSize{Fixed: 7} },
		"batches, measured": func(c *jobs.Config) { c.Size, c.Batch = jobs.Size{}, jobs.BatchSize{Auto: true} },
		"unknown number":    func(c *jobs.Config) { c.Size, c.Total = jobs.Size{}, -1 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 5, 6, 7, 300} {
				got := run(t, n, policies.Options{}, change, func(j *jobs.Job) error {
					j.Wall, j.CPU = time.Millisecond, time.Millisecond/2
					if len(j.Batch) == 1 && j.First().N%10 == 3 {
						return errors.New("three")
					}
					return nil
				})
				slices.Sort(got.order)
				require.Equal(t, upTo(n), got.order)
				require.Equal(t, int64(n), got.state.Done.Load())
				require.Equal(t, int64(len(got.failed)), got.state.Failed.Load())
				require.Zero(t, got.state.Running.Load())
				require.NoError(t, got.result.Err)
			}
		})
	}
}

func TestOrdered(t *testing.T) {
	got := run(t, 500, policies.Options{}, func(c *jobs.Config) { c.Ordered, c.Size = true, jobs.Size{} }, func(*jobs.Job) error { return nil })
	require.Equal(t, upTo(500), got.order)
}

func TestBisect(t *testing.T) {
	var tried atomic.Int64
	got := run(t, 64, policies.Options{}, func(c *jobs.Config) {
		c.Batch, c.Bisect = jobs.BatchSize{Fixed: 16}, true
	}, func(j *jobs.Job) error {
		tried.Add(1)
		for _, it := range j.Batch {
			if it.N == 20 || it.N == 21 {
				return errors.New("bad")
			}
		}
		return nil
	})
	slices.Sort(got.order)
	slices.Sort(got.failed)
	require.Equal(t, upTo(64), got.order)
	require.Equal(t, []int{20, 21}, got.failed)
	require.Less(t, tried.Load(), int64(20))
}

func TestRetriesAndOutcomes(t *testing.T) {
	kinds := map[string]error{"ok": nil, "exit": &process.ExitError{Code: 3}, "timeout": &process.TimeoutError{}, "spawn": &process.SpawnError{Err: errors.New("no")}}
	for name, failure := range kinds {
		t.Run(name, func(t *testing.T) {
			got := run(t, 20, policies.Options{Retries: 2, Backoff: "1ms"}, nil, func(j *jobs.Job) error { return failure })
			require.Len(t, got.order, 20)
			want := map[string]int64{"ok": 20, "exit": 60, "timeout": 60, "spawn": 20}[name]
			require.Equal(t, want, got.state.Tries.Load())
			require.Equal(t, failure != nil, len(got.failed) == 20)
			require.Zero(t, got.state.Running.Load(), "as many slots as before")
		})
	}
}

func TestStopLeavesTheRest(t *testing.T) {
	var control *jobs.Control
	var begun sync.Map
	got := run(t, 10_000, policies.Options{}, func(c *jobs.Config) { control = c.Control }, func(j *jobs.Job) error {
		begun.Store(j.First().N, true)
		if j.First().N == 50 {
			control.Stop(jobs.ErrInterrupted)
		}
		return nil
	})
	require.ErrorIs(t, got.result.Err, jobs.ErrInterrupted)
	require.Less(t, len(got.order), 1000)
	for _, n := range got.order {
		_, there := begun.LoadAndDelete(n)
		require.True(t, there, "item %d is over once, and was begun", n)
	}
	begun.Range(func(n, _ any) bool { require.Fail(t, "begun and not over", n); return true })
}

func TestPlanFromTheSample(t *testing.T) {
	cores := float64(jobs.NewPlan(jobs.Cost{Jobs: 1, Wall: 1, CPU: 1}, -1, jobs.Caps{}).Cores)
	for _, c := range []struct {
		wall, cpu time.Duration
		want      float64 // slots for a core
		class     string
	}{
		{100 * time.Millisecond, 100 * time.Millisecond, 1, "CPU-bound"},
		{100 * time.Millisecond, 50 * time.Millisecond, 2.5, "mixed"},
		{110 * time.Millisecond, 11 * time.Millisecond, 12.5, "I/O-bound"},
	} {
		cost := jobs.Cost{Jobs: 3, Items: 3, Wall: c.wall, CPU: c.cpu}
		p := jobs.NewPlan(cost, 1000, jobs.Caps{})
		require.InDelta(t, c.want*cores, float64(p.Slots), 1, "%v", c)
		require.Equal(t, "cpu", p.Binding)
		require.Equal(t, c.class, cost.Class().String())
	}
	require.Equal(t, 5, jobs.NewPlan(jobs.Cost{Jobs: 1, Wall: time.Second, CPU: 1}, 5, jobs.Caps{}).Slots, "no more than items")
	require.Equal(t, "files", jobs.NewPlan(jobs.Cost{Jobs: 1, Wall: time.Second, CPU: 1}, 5000, jobs.Caps{Files: 9}).Binding)
}

func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 1500: "1.50 µs", 112 * time.Millisecond: "112 ms", 3400 * time.Millisecond: "3.40 s",
		224 * time.Second: "3 m 44 s", 2 * time.Hour: "2 h 00 m", -time.Second: "-1.00 s", 154 * time.Minute: "2 h 34 m",
		time.Microsecond: "1.00 µs", time.Millisecond: "1.00 ms", time.Second: "1.00 s", time.Minute: "1 m 00 s", time.Hour: "1 h 00 m",
		9_995 * time.Microsecond: "10.0 ms", 99_950 * time.Microsecond: "100 ms",
	} {
		require.Equal(t, want, jobs.Short(d))
	}
	require.Equal(t, "3.40 s", jobs.ShortSeconds(3.4))
	require.Equal(t, "1 284", jobs.Count(1284))
	require.Equal(t, "1 000 000", jobs.Count(1_000_000))
	require.Equal(t, "999", jobs.Count(999))
	require.Equal(t, "10.9 MB", jobs.Bytes(10_900_000))
	require.Equal(t, "512 B", jobs.Bytes(512))
	require.Equal(t, "1.00 MB", jobs.Bytes(999_500))
	require.Equal(t, "1.00 TB", jobs.Bytes(1_000_000_000_000))
}
