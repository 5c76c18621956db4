package jobs_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// A number of slots that is given is what there is; one that is found grows where jobs wait. State tells of it.
func TestSlotsInUse(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*jobs.Config)
		least, most int64
	}{
		"given":            {func(c *jobs.Config) { c.Size = jobs.Size{Fixed: 4} }, 4, 4},
		"found":            {func(c *jobs.Config) { c.Size = jobs.Size{} }, 257, 16384},
		"bounded":          {func(c *jobs.Config) { c.Size = jobs.Size{Most: 9} }, 9, 9},
		"within":           {func(c *jobs.Config) { c.Size, c.Within = jobs.Size{}, true }, 17, 16384},
		"within, only one": {func(c *jobs.Config) { c.Size, c.Within = jobs.Size{Most: 1}, true }, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := run(t, 4000, policies.Options{}, c.change, func(j *jobs.Job) error {
				time.Sleep(100 * time.Millisecond)
				j.Wall = 100 * time.Millisecond
				return nil
			})
			require.GreaterOrEqual(t, got.state.Peak.Load(), c.least, name)
			require.LessOrEqual(t, got.state.Peak.Load(), c.most, name)
			shown := got.state.Slots.Load()
			require.Positive(t, shown, name)
			require.LessOrEqual(t, shown, got.state.Peak.Load(), name)
			if name == "given" {
				require.Equal(t, c.most, shown, "whether they run or not")
			}
		})
	}
}

// A run begins with as many jobs at once as its plan says: it does not feel its way up to what is known.
func TestBeginsWithItsPlan(t *testing.T) {
	for name, c := range map[string]struct {
		size  jobs.Size
		takes time.Duration
		after time.Duration // the sample
		want  int
	}{
		"given":              {jobs.Size{Fixed: 50}, time.Second, 0, 50},
		"found":              {jobs.Size{}, 10 * time.Millisecond, 50 * time.Millisecond, 256},
		"found by one alone": {jobs.Size{}, 50 * time.Millisecond, 50 * time.Millisecond, 256},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			began, begun := time.Now(), map[time.Duration]int{}
			run(t, 1000, policies.Options{}, func(cfg *jobs.Config) { cfg.Size = c.size }, func(j *jobs.Job) error {
				mu.Lock()
				begun[time.Since(began)]++
				mu.Unlock()
				time.Sleep(c.takes)
				j.Wall = c.takes
				return nil
			})
			require.Equal(t, c.want, begun[c.after], name)
		})
	}
}

// How many jobs may be begun whose results have to wait for an earlier one.
func TestWorks(t *testing.T) {
	for _, c := range []struct {
		slots int
		caps  jobs.Caps
		most  int
	}{
		{2, jobs.Caps{}, 1024},
		{2, jobs.Caps{Works: 3}, 3},
		{2, jobs.Caps{Works: 1}, 3},
		{2, jobs.Caps{Works: 100}, 100},
		{2, jobs.Caps{Files: 40}, 40}, // a result that waits holds a file, too
		{2, jobs.Caps{Files: 1}, 6},   // but the slots must not idle
		{10, jobs.Caps{Fixed: 3}, 5},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			begun, atOnce := 0, 0
			run(t, 2000, policies.Options{}, func(cfg *jobs.Config) {
				cfg.Size, cfg.Ordered, cfg.Caps = jobs.Size{Fixed: c.slots}, true, c.caps
			}, func(j *jobs.Job) error {
				mu.Lock()
				begun++
				mu.Unlock()
				if j.First().N > 1 {
					time.Sleep(time.Microsecond)
					return nil
				}
				time.Sleep(time.Second)
				mu.Lock()
				atOnce = begun
				mu.Unlock()
				return nil
			})
			require.Equal(t, c.most, atOnce, "%+v", c)
		})
	}
}
