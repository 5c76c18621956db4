package jobs_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// Of jobs within this process the engine makes the plan, which is told once: when it
// is known what the calls do, or when they are over.
func TestWithin(t *testing.T) {
	for name, c := range map[string]struct {
		n     int
		takes time.Duration
		caps  jobs.Caps
		size  jobs.Size
		slots int
		most  int
	}{
		"calls that wait":   {n: 2000, takes: 20 * time.Millisecond, slots: 16, most: 16384},
		"few files":         {n: 2000, takes: 20 * time.Millisecond, caps: jobs.Caps{Files: 5}, slots: 5, most: 5},
		"one file":          {n: 200, takes: 20 * time.Millisecond, caps: jobs.Caps{Files: 1}, slots: 1, most: 1},
		"a bound":           {n: 2000, takes: 20 * time.Millisecond, size: jobs.Size{Most: 7}, slots: 7, most: 7},
		"calls that do not": {n: 2000, most: 16384},
		"nothing to speak":  {n: 1, most: 16384},
		"no items":          {n: 0, most: 16384},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told, began := 0, time.Now()
				var over atomic.Int64
				got := run(t, c.n, policies.Options{}, func(cfg *jobs.Config) {
					cfg.Within, cfg.Caps, cfg.Size = true, c.caps, c.size
					o := cfg.Observer.(*observer)
					keep, note := o.planned, o.over
					o.over = func(j *jobs.Job) error { over.Add(1); return note(j) }
					o.planned = func(p jobs.Plan) {
						told++
						keep(p)
						if c.takes > 0 {
							require.NotEmpty(t, p.Reason)
							require.Equal(t, c.slots, p.Slots)
							require.Less(t, time.Since(began), 10*time.Millisecond, "as soon as it is known")
						} else {
							require.Equal(t, int64(c.n), over.Load(), "nothing was known before")
						}
					}
				}, func(j *jobs.Job) error {
					time.Sleep(c.takes)
					j.Wall = c.takes
					return nil
				})
				require.Equal(t, 1, told)
				require.Equal(t, []int{c.most, -1, 1}, []int{got.plan.Most, got.plan.Left, got.plan.Batch})
				require.Equal(t, got.plan, got.result.Plan)
				require.Len(t, got.order, c.n)
				require.Len(t, got.batches, c.n)
				require.LessOrEqual(t, int(got.state.Peak.Load()), c.most)
			})
		})
	}
}

// Of calls that compute, the plan is told once that is known, and not at the end: so many items come until then.
func TestWithinTellsOfCallsThatCompute(t *testing.T) {
	told := errors.New("told")
	got := run(t, 100_000, policies.Options{}, func(cfg *jobs.Config) {
		cfg.Within, cfg.Size = true, jobs.Size{}
		cfg.Observer.(*observer).planned = func(jobs.Plan) { cfg.Control.Stop(told) }
	}, func(*jobs.Job) error {
		compute()
		return nil
	})
	require.ErrorIs(t, got.result.Err, told)
	require.Less(t, len(got.order), 100_000)
}

var product atomic.Uint64

// compute keeps a core busy for a moment.
func compute() {
	x := uint64(1)
	for i := range uint64(200_000) {
		x = x*31 + i
	}
	product.Store(x)
}

// The plan says how many cores there are, and leaves them to the process.
func TestWithinLeavesTheCores(t *testing.T) {
	before := runtime.GOMAXPROCS(3)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	got := run(t, 3, policies.Options{}, func(cfg *jobs.Config) { cfg.Within, cfg.Size = true, jobs.Size{} }, func(*jobs.Job) error { return nil })
	require.Equal(t, []int{3, 3}, []int{got.plan.Cores, runtime.GOMAXPROCS(0)})
}
