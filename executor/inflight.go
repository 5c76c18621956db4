package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/executor/internal/sizing"
)

// inFlight returns what the run has in flight, in the units of memory.
func (s *scheduler) inFlight(now time.Duration) (f load) {
	calls, items := 0, 0
	f.ended = s.room.ended.Load() - s.room.uncounted
	countsAt := f.countsAt(max(s.sharing.tracker.Base(), s.planner.plan.Sample.ItemTime()))
	s.crew.each(func(w *worker) {
		age, n := w.age(now)
		_, held := w.call.waitsIn()
		held = held || len(s.cfg.Policies) > 0 && w.inPolicies()
		switch {
		case n == 0 || held:
		case age < countsAt:
			f.young++
		default:
			calls++
			items += n
		}
	})
	f.units, f.size = calls, 1
	calls = max(calls, runtime.GOMAXPROCS(0))
	if s.waits() {
		calls = 4 * max(calls, int(s.crew.limit.Load())) // as far as one review may raise it
		if s.sharing.shares && s.batches == nil {
			f.units = max(f.units, s.sharing.tracker.InFlight()-f.young) // in all runs
		}
	}
	f.want = min(calls, s.planner.ceiling())
	if s.batches != nil {
		f.units, f.size = items, max(1, s.cfg.ChunkSize, items/max(1, f.units))
		f.want *= sizing.BatchGrowth * f.size
	}
	return f
}
