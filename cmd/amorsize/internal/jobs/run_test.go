package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// The sample: how many jobs of how many items run alone, one after the other, before
// the plan is made.
func TestSample(t *testing.T) {
	for name, c := range map[string]struct {
		size   jobs.Size
		batch  jobs.BatchSize
		budget time.Duration
		total  int
		takes  time.Duration
		want   []int
	}{
		"short jobs":             {batch: jobs.BatchSize{Fixed: 1}, total: 1000, takes: time.Millisecond, want: []int{1, 1, 1, 1, 1, 1}},
		"longer ones":            {batch: jobs.BatchSize{Fixed: 1}, total: 1000, takes: 30 * time.Millisecond, want: []int{1, 1}},
		"at the budget":          {batch: jobs.BatchSize{Fixed: 1}, total: 1000, takes: 50 * time.Millisecond, want: []int{1}},
		"a budget":               {batch: jobs.BatchSize{Fixed: 1}, total: 1000, budget: 100 * time.Millisecond, takes: 30 * time.Millisecond, want: []int{1, 1, 1, 1}},
		"batches":                {batch: jobs.BatchSize{Fixed: 5}, total: 1000, takes: time.Millisecond, want: []int{5, 5}},
		"batches of two":         {batch: jobs.BatchSize{Fixed: 2}, total: 1000, takes: time.Millisecond, want: []int{2, 2}},
		"large batches":          {batch: jobs.BatchSize{Fixed: 32}, total: 100, takes: time.Millisecond, want: []int{32, 32}},
		"too large for so few":   {batch: jobs.BatchSize{Fixed: 33}, total: 100, takes: time.Millisecond},
		"batches to be found":    {batch: jobs.BatchSize{Auto: true}, total: 1000, takes: time.Millisecond, want: []int{1, 1, 8, 1, 8, 32, 1}},
		"many items":             {batch: jobs.BatchSize{Auto: true}, total: 1280, takes: time.Millisecond, want: []int{1, 1, 8, 1, 8, 32, 1, 128}},
		"for longer, then":       {batch: jobs.BatchSize{Auto: true}, total: 1000, takes: 100 * time.Millisecond, want: []int{1, 1, 8}},
		"slow starts":            {batch: jobs.BatchSize{Auto: true}, total: 1000, takes: 400 * time.Millisecond, want: []int{1, 1, 8}},
		"too slow for several":   {batch: jobs.BatchSize{Auto: true}, total: 10, takes: 500 * time.Millisecond, want: []int{1}},
		"a budget of one's own":  {batch: jobs.BatchSize{Auto: true}, total: 10, budget: 300 * time.Millisecond, takes: 400 * time.Millisecond, want: []int{1}},
		"a fixed number of jobs": {size: jobs.Size{Fixed: 3}, batch: jobs.BatchSize{Fixed: 1}, total: 10, takes: time.Millisecond},
		"but batches unknown":    {size: jobs.Size{Fixed: 3}, batch: jobs.BatchSize{Auto: true}, total: 1000, takes: time.Millisecond, want: []int{1, 1, 8, 1, 8, 32, 1}},
		"few items":              {batch: jobs.BatchSize{Fixed: 1}, total: 3, takes: time.Millisecond, want: []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var sampled []int
				planned := false
				got := run(t, c.total, policies.Options{}, func(cfg *jobs.Config) {
					cfg.Size, cfg.Batch, cfg.Budget = c.size, c.batch, c.budget
					cfg.Observer.(*observer).planned = func(p jobs.Plan) {
						require.False(t, planned, "told once")
						planned = true
						require.Equal(t, len(c.want), p.Cost.Jobs)
						require.Equal(t, c.total-sum(c.want), p.Left)
					}
				}, func(j *jobs.Job) error {
					mu.Lock()
					if !planned {
						sampled = append(sampled, len(j.Batch))
					}
					mu.Unlock()
					time.Sleep(c.takes)
					j.Wall = c.takes
					return nil
				})
				require.True(t, planned)
				require.Equal(t, c.want, sampled)
				slices.Sort(got.order)
				require.Equal(t, upTo(c.total), got.order)
			})
		})
	}
}

func sum(list []int) (total int) {
	for _, n := range list {
		total += n
	}
	return total
}

// A rate bounds the slots by Little's law, unless it is to be found.
func TestRateInThePlan(t *testing.T) {
	for rate, binding := range map[string]string{"4/s": "rate", "auto": "start"} {
		synctest.Test(t, func(t *testing.T) {
			got := run(t, 400, policies.Options{Rate: rate}, func(cfg *jobs.Config) { cfg.Size = jobs.Size{} }, func(j *jobs.Job) error {
				time.Sleep(time.Second)
				j.Wall = time.Second
				return nil
			})
			require.Equal(t, binding, got.result.Plan.Binding)
			if rate == "4/s" {
				require.Equal(t, 5, got.result.Plan.Slots)
			}
			require.Equal(t, got.result.Plan.Slots, got.plan.Slots)
		})
	}
	synctest.Test(t, func(t *testing.T) { // nothing is known of how many are left
		got := run(t, 40, policies.Options{}, func(cfg *jobs.Config) { cfg.Size, cfg.Total = jobs.Size{}, -1 }, func(*jobs.Job) error { return nil })
		require.Equal(t, -1, got.plan.Left)
		require.Zero(t, got.plan.Expected)
	})
}

// Lost is told of items that fail for good, and of those alone.
func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		options policies.Options
		bisect  bool
		lost    int
	}{
		"at once":                 {policies.Options{}, false, 8},
		"after retries":           {policies.Options{Retries: 2, Backoff: "1ms..1ms"}, false, 8},
		"halved until it is one":  {policies.Options{}, true, 2},
		"of halves, with retries": {policies.Options{Retries: 1, Backoff: "1ms..1ms"}, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lost := 0
				got := run(t, 16, c.options, func(cfg *jobs.Config) {
					cfg.Size, cfg.Batch, cfg.Bisect = jobs.Size{Fixed: 1}, jobs.BatchSize{Fixed: 4}, c.bisect
					cfg.Lost = func(n int) { lost += n }
				}, func(j *jobs.Job) error {
					for _, it := range j.Batch {
						if it.N == 3 || it.N == 10 {
							return errors.New("bad")
						}
					}
					return nil
				})
				require.Equal(t, c.lost, lost)
				require.Equal(t, c.lost, len(got.failed))
			})
		})
	}
}

// An error of an observer ends the run, with what was wrong.
func TestObserverFails(t *testing.T) {
	full := errors.New("no room")
	for name, change := range map[string]func(*observer){
		"after an attempt": func(o *observer) { o.tried = func(*jobs.Job, error) error { return full } },
		"after a job":      func(o *observer) { o.over = func(*jobs.Job) error { return full } },
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, 20_000, policies.Options{}, func(cfg *jobs.Config) { change(cfg.Observer.(*observer)) }, func(*jobs.Job) error { return nil })
			require.ErrorIs(t, got.result.Err, full)
			require.Less(t, int(got.state.Done.Load()), 10_000)
		})
	}
}

// A failure that is fatal ends the run, and says which item it was.
func TestFatal(t *testing.T) {
	got := run(t, 1000, policies.Options{FatalOn: "any"}, func(cfg *jobs.Config) { cfg.Size = jobs.Size{Fixed: 1} }, func(j *jobs.Job) error {
		if j.First().N == 7 {
			return errors.New("bad")
		}
		return nil
	})
	require.ErrorIs(t, got.result.Err, jobs.ErrFatal)
	require.ErrorContains(t, got.result.Err, "item 7: bad")
	require.Equal(t, []int{7}, got.failed)
	require.Len(t, got.order, 7)
}

// A service that does not come back ends the run, and its items are left: how many is told if it is known.
func TestServiceGone(t *testing.T) {
	for name, c := range map[string]struct {
		n, good int
		total   int
		left    string
	}{
		"some":      {10, 4, 10, ": 6 items left"},
		"one":       {1, 0, 1, ": 1 item left"},
		"not known": {10, 4, -1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := run(t, c.n, policies.Options{Breaker: "2", BreakerGiveUp: time.Minute, Retries: 1000, Backoff: "1s..1s"}, func(cfg *jobs.Config) {
				cfg.Size, cfg.Total = jobs.Size{Fixed: 2}, c.total
			}, func(j *jobs.Job) error {
				if j.First().N > c.good {
					return errors.New("gone")
				}
				return nil
			})
			require.ErrorIs(t, got.result.Err, jobs.ErrGaveUp)
			require.EqualError(t, got.result.Err, jobs.ErrGaveUp.Error()+c.left, name)
			require.Equal(t, len(got.order), c.good+len(got.failed))
			require.Less(t, len(got.failed), 3)
		})
	}
}

// A measurement runs jobs one at a time until its time is over.
func TestMeasure(t *testing.T) {
	measure := func(t *testing.T, n int, batch jobs.BatchSize, budget time.Duration) (sizes []int, cost jobs.Cost) {
		set, err := policies.New(policies.Options{})
		require.NoError(t, err)
		var state jobs.State
		cost = jobs.Measure(jobs.Config{
			Items: numbers(n), Total: n, Set: set, Control: jobs.NewControl(t.Context()), Batch: batch, Budget: budget,
			Attempt: func(_ context.Context, j *jobs.Job, _ int) error {
				sizes = append(sizes, len(j.Batch))
				time.Sleep(10 * time.Millisecond)
				j.Wall = 10 * time.Millisecond
				return nil
			},
			Observer: &observer{},
		}, &state)
		require.Equal(t, len(sizes), cost.Jobs)
		require.Equal(t, int64(-1), state.Total.Load(), "as many as there is time for")
		return sizes, cost
	}
	synctest.Test(t, func(t *testing.T) {
		sizes, cost := measure(t, 1000, jobs.BatchSize{Fixed: 1}, 100*time.Millisecond)
		require.Len(t, sizes, 10)
		require.Equal(t, 10*time.Millisecond, cost.Wall)
		sizes, _ = measure(t, 3, jobs.BatchSize{Fixed: 1}, 100*time.Millisecond)
		require.Len(t, sizes, 3)
		sizes, _ = measure(t, 1000, jobs.BatchSize{Fixed: 1}, time.Minute)
		require.Len(t, sizes, 200)
		sizes, _ = measure(t, 1000, jobs.BatchSize{Auto: true}, 70*time.Millisecond)
		require.Equal(t, []int{1, 1, 8, 1, 32, 1, 1}, sizes)
		sizes, _ = measure(t, 10, jobs.BatchSize{Fixed: 4}, time.Second)
		require.Equal(t, []int{4, 4, 2}, sizes)
	})
}

func TestCollect(t *testing.T) {
	texts := func(list []items.Item) (out []int) {
		for _, it := range list {
			out = append(out, it.N)
		}
		return out
	}
	require.Equal(t, []int{1, 2}, texts(jobs.Collect(numbers(5), 2)))
	require.Equal(t, []int{1, 2, 3}, texts(jobs.Collect(numbers(3), 0)))
	require.Equal(t, []int{1, 2, 3}, texts(jobs.Collect(numbers(3), 9)))
}

// A reason to stop is the first one that was given.
func TestControl(t *testing.T) {
	c := jobs.NewControl(t.Context())
	require.NoError(t, c.Stopped())
	c.Stopf(jobs.ErrHalted, "%d of %d", 3, 4)
	c.Stop(jobs.ErrDeadline)
	require.ErrorIs(t, c.Stopped(), jobs.ErrHalted)
	require.EqualError(t, c.Stopped(), "too many failures: 3 of 4")
	require.Error(t, c.Context().Err())
}

// When a run began is the caller's to say.
func TestBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set, err := policies.New(policies.Options{})
		require.NoError(t, err)
		for _, ago := range []time.Duration{0, time.Minute} {
			var began time.Time
			if ago > 0 {
				began = time.Now().Add(-ago)
			}
			state := jobs.State{Began: began}
			result := jobs.Run(jobs.Config{
				Items: numbers(1), Total: 1, Set: set, Control: jobs.NewControl(t.Context()), Size: jobs.Size{Fixed: 1}, Batch: jobs.BatchSize{Fixed: 1},
				Attempt:  func(context.Context, *jobs.Job, int) error { time.Sleep(time.Second); return nil },
				Observer: &observer{},
			}, &state)
			require.Equal(t, ago+time.Second, result.Took)
			if ago > 0 {
				require.Equal(t, began, result.Began)
			}
		}
	})
}
