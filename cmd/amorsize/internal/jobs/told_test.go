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

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/ratelimit"
)

// How many items there are is told, and -1 if nobody knows.
func TestTotal(t *testing.T) {
	for _, c := range []struct{ n, total, left int }{{0, 0, 0}, {7, 7, 7}, {7, -1, -1}} {
		got := run(t, c.n, policies.Options{}, func(cfg *jobs.Config) { cfg.Total = c.total }, func(*jobs.Job) error { return nil })
		require.Equal(t, int64(c.total), got.state.Total.Load())
		require.Equal(t, c.left, got.plan.Left)
	}
}

// The rate is that of the jobs after the sample, in the time after it.
func TestRateSinceTheSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := run(t, 102, policies.Options{}, func(cfg *jobs.Config) { cfg.Size = jobs.Size{Most: 1} }, func(j *jobs.Job) error {
			j.Wall = 10 * time.Millisecond
			if j.First().N <= 2 {
				j.Wall = 40 * time.Millisecond
			}
			time.Sleep(j.Wall)
			return nil
		})
		require.Equal(t, 2, got.plan.Cost.Jobs)
		require.InDelta(t, 100, got.state.Rate(time.Now()), 1e-6)
	})
}

// A job that is over tells how it was: its place, its attempts, its time with all waits, and the bare error.
func TestJobThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var over []jobs.Job
		var slots sync.Map
		run(t, 6, policies.Options{Retries: 2, Backoff: "1s..1s"}, func(cfg *jobs.Config) {
			cfg.Size, cfg.Batch, cfg.Bisect, cfg.Ordered = jobs.Size{Fixed: 2}, jobs.BatchSize{Fixed: 2}, true, true
			attempt := cfg.Attempt
			cfg.Attempt = func(ctx context.Context, j *jobs.Job, slot int) error {
				slots.Store(slot, true)
				return attempt(ctx, j, slot)
			}
			cfg.Observer.(*observer).over = func(j *jobs.Job) error { over = append(over, *j); return nil }
		}, func(j *jobs.Job) error {
			time.Sleep(time.Second)
			if slices.ContainsFunc(j.Batch, func(it items.Item) bool { return it.N == 4 }) {
				return errors.New("four")
			}
			return nil
		})
		slots.Range(func(slot, _ any) bool {
			require.Less(t, slot, 2, "a slot is used again")
			return true
		})
		for i, want := range []struct{ first, items, place, tries int }{{1, 2, 0, 1}, {5, 2, 2, 1}, {3, 1, 1, 1}, {4, 1, 1, 3}} {
			j := over[i]
			require.Equal(t, []int{want.first, want.items, want.place, want.tries}, []int{j.First().N, len(j.Batch), j.Place, j.Tries})
			if want.tries == 1 {
				require.NoError(t, j.Err)
				require.Equal(t, time.Second, j.Took)
				continue
			}
			require.EqualError(t, j.Err, "retry: given up after 3 attempts: four")
			require.GreaterOrEqual(t, j.Took, 3*time.Second+2*500*time.Millisecond)
		}
	})
}

// What an attempt kept is given back before the next one, and of jobs that are not over as well: of batches that
// are halved, at a stop, when the service is gone.
func TestOutputIsGivenBack(t *testing.T) {
	for name, c := range map[string]struct {
		options policies.Options
		change  func(*jobs.Config)
		stop    bool
	}{
		"halved":          {change: func(cfg *jobs.Config) { cfg.Batch, cfg.Bisect = jobs.BatchSize{Fixed: 4}, true }},
		"stopped":         {options: policies.Options{Retries: 1, Backoff: "1h..1h"}, stop: true},
		"tried again":     {options: policies.Options{Retries: 2, Backoff: "1ms..1ms"}},
		"gone for good":   {options: policies.Options{Retries: 1000, Backoff: "1ms..1ms", Breaker: "2", BreakerGiveUp: time.Minute}},
		"only one policy": {options: policies.Options{}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			tried, over := map[*jobs.Job]bool{}, map[*jobs.Job]bool{}
			var control *jobs.Control
			run(t, 8, c.options, func(cfg *jobs.Config) {
				cfg.Size, control = jobs.Size{Fixed: 2}, cfg.Control
				if c.change != nil {
					c.change(cfg)
				}
				cfg.Observer.(*observer).over = func(j *jobs.Job) error { over[j] = true; return nil }
			}, func(j *jobs.Job) error {
				mu.Lock()
				defer mu.Unlock()
				require.Zero(t, j.Out.Size()+j.Outcome.Err.Size(), name)
				tried[j] = true
				j.Out, j.Outcome.Err = process.Bytes([]byte("out")), process.Bytes([]byte("err"))
				if c.stop && len(tried) == 2 {
					control.Stop(jobs.ErrInterrupted)
				}
				return errors.New("bad")
			})
			require.NotEmpty(t, tried, name)
			for j := range tried {
				held := int64(0)
				if over[j] {
					held = 3 // the observer's to give back
				}
				require.Equal(t, []int64{held, held}, []int64{j.Out.Size(), j.Outcome.Err.Size()}, "%s: over %v", name, over[j])
			}
			if name == "stopped" || name == "gone for good" {
				require.Less(t, len(over), len(tried), name)
			}
		})
	}
}

// Results come when they are there, unless their order is asked for.
func TestUnordered(t *testing.T) {
	for ordered, first := range map[bool]int{true: 1, false: 2} {
		synctest.Test(t, func(t *testing.T) {
			got := run(t, 20, policies.Options{}, func(cfg *jobs.Config) { cfg.Ordered, cfg.Size = ordered, jobs.Size{Fixed: 2} }, func(j *jobs.Job) error {
				time.Sleep(time.Millisecond)
				if j.First().N == 1 {
					time.Sleep(time.Second)
				}
				return nil
			})
			require.Equal(t, first, got.order[0])
		})
	}
}

// What a kind of jobs knows of a failure is what it is judged by.
func TestSeenIsJudged(t *testing.T) {
	got := run(t, 1000, policies.Options{FatalOn: "err:/down/"}, func(cfg *jobs.Config) {
		cfg.Seen = func(j *jobs.Job, seen *policies.Seen) { seen.Stderr = func() []byte { return j.Outcome.Err.Tail(100) } }
	}, func(j *jobs.Job) error {
		j.Outcome.Err = process.Bytes([]byte("it is down"))
		return errors.New("bad")
	})
	require.ErrorIs(t, got.result.Err, jobs.ErrFatal)
}

// A run that can't begin says why.
func TestPolicyOfOtherItems(t *testing.T) {
	keyed, err := ratelimit.NewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1}, 0)
	require.NoError(t, err)
	got := run(t, 5, policies.Options{}, func(cfg *jobs.Config) {
		cfg.Extra = []amorsize.Policy{amorsize.ByKey(keyed, func(text string) string { return text })}
	}, func(*jobs.Job) error { return nil })
	var wrong *amorsize.ConfigError
	require.ErrorAs(t, got.result.Err, &wrong)
	require.Empty(t, got.order)
}
