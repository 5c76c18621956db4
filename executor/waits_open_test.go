package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// A run that shares a limit does not begin with few calls because it has few items, unless its plan is given.
func TestFirstCallsOfARun(t *testing.T) {
	for name, c := range map[string]struct {
		shares bool
		plan   *optimizer.Plan
		least  int
		want   int
	}{
		"alone":             {false, nil, 0, 2},
		"alone, with floor": {false, nil, 5, 5},
		"it shares":         {true, nil, 0, optimizer.FirstWindow},
		"it shares a plan":  {true, &optimizer.Plan{}, 0, 2},
		"a plan":            {false, &optimizer.Plan{}, 0, 2},
	} {
		r := wired(Config{Plan: c.plan, MinWorkers: c.least}, 1000)
		r.planner.top, r.planner.reach = 1000, 1000
		r.planner.plan.Workers, r.planner.plan.Sample = 2, sampling.Sample{CPUKnown: true, Items: 3, ItemNanos: 1e9}
		r.sharing.shares = c.shares
		r.scheduler.openPlanned(0)
		require.Equal(t, c.want, r.sharing.tracker.Limit(), name)
		require.EqualValues(t, c.want, r.crew.limit.Load(), name)
	}
}

// Workers that are in calls when these are found to wait have a turn each, where runs share a limit: not those between
// two claims, nor those whose calls get no context.
func TestTurnsAreTaken(t *testing.T) {
	for name, c := range map[string]struct {
		shares bool
		mode   int32
		want   bool
	}{
		"it shares":           {true, modeWaiting, true},
		"alone":               {false, modeWaiting, false},
		"calls compute":       {true, modeComputing, false},
		"alone, they compute": {false, modeComputing, false},
	} {
		r := wired(Config{}, 1000)
		r.sharing.tracker, r.sharing.shares = opened(), c.shares
		busy, idle, bare := inCall(1, 0), inCall(0, 0), &worker{}
		bare.size.Store(1)
		r.crew.workers = []*worker{busy, idle, bare}
		r.scheduler.mode.Store(c.mode)
		r.scheduler.takeTurns()
		require.Equal(t, c.want, busy.call.hasTurn(), name)
		require.False(t, idle.call.hasTurn(), name)
		r.sharing.tracker.Turns.Allow(0)
		require.Equal(t, c.want, r.sharing.tracker.Turns.Over(), name)
	}
	r := wired(Config{}, 1000)
	r.planner.top, r.planner.reach, r.sharing.shares = 1000, 1000, true
	busy := inCall(1, 0)
	r.crew.workers = []*worker{busy}
	r.scheduler.open(0, 16, time.Second, 1)
	require.True(t, busy.call.hasTurn(), "it is when the limit begins to be sought")
}

// opening is a run whose limit is sought from 16 calls on, up to most, and that has had so many rounds of calls.
func opening(most, rounds int, err error) *run {
	r := wired(Config{}, 1000)
	r.planner.top = most
	r.scheduler.open(0, 16, 10*time.Millisecond, 4)
	r.calls(rounds, 16, err)
	return r
}

// calls has so many rounds of calls be made at a time.
func (r *run) calls(rounds, at int, err error) {
	for range rounds {
		attempts := make([]flight.Attempt, at)
		for i := range attempts {
			r.sharing.tracker.Enter(&attempts[i], 0, 1, 1)
		}
		for i := range attempts {
			r.sharing.tracker.Leave(&attempts[i], 10*time.Millisecond, 1, err)
		}
	}
}

// A change of the limit is told once, with its reason; a limit that stays, or is what was announced, is none.
func TestChangeIsToldOnce(t *testing.T) {
	r := opening(1000, 3, nil)
	change, _ := r.scheduler.decideWaiting(20 * time.Millisecond)
	require.NotNil(t, change)
	require.Equal(t, change.Workers, r.scheduler.told)
	require.EqualValues(t, never, r.scheduler.epoch.needed.Load(), "claims are no news: attempts are")

	r = opening(1000, 3, nil)
	r.scheduler.told = change.Workers
	again, _ := r.scheduler.decideWaiting(20 * time.Millisecond)
	require.Nil(t, again, "it is known")

	r = opening(1000, 0, nil)
	quiet, _ := r.scheduler.decideWaiting(20 * time.Millisecond)
	require.Nil(t, quiet, "nothing has changed")
	require.Zero(t, r.scheduler.told)
}

// A limit that rises to the ceiling does so for its own reason, however many workers there are: not for want of memory.
func TestReasonAtTheCeiling(t *testing.T) {
	for _, workers := range []int64{16, 18, 1000} {
		r := opening(18, 3, nil)
		r.crew.limit.Store(workers)
		change, _ := r.scheduler.decideWaiting(20 * time.Millisecond)
		require.NotNil(t, change)
		require.Equal(t, 18, change.Workers)
		require.Equal(t, "throughput rose with the limit", change.Reason, workers)
	}
}

// Where fewer calls are in flight than may be, the limit falls to them, unless something else holds calls back: one that
// waits for a token is enough for that.
func TestLimitOfHeldCalls(t *testing.T) {
	for name, c := range map[string]struct {
		workers []*worker
		falls   bool
	}{
		"nothing":        {nil, true},
		"a call":         {[]*worker{waitsFor(new(int))}, false},
		"one in backoff": {[]*worker{waitsFor(nil)}, true},
	} {
		r := opening(1000, 0, nil)
		r.crew.workers = c.workers
		r.scheduler.decideWaiting(0)
		r.calls(3, 8, nil)
		r.scheduler.decideWaiting(20 * time.Millisecond)
		require.Equal(t, c.falls, r.record.last.Limit < 16, name)
	}
}

// waitsFor is a worker whose call waits for what is counted by of.
func waitsFor(of any) *worker {
	w := inCall(1, 0)
	waiting.BeginWith(w.call, waiting.Line{Of: of})
	return w
}

// What has settled is bounded by the service.
func TestBoundByTheService(t *testing.T) {
	r := opening(1000, 3, nil)
	r.scheduler.decideWaiting(20 * time.Millisecond)
	require.Empty(t, r.record.last.Bound, "it grows")
	r = opening(1000, 3, refused(503))
	r.scheduler.decideWaiting(20 * time.Millisecond)
	require.Equal(t, BoundByService, r.record.last.Bound)
}

// While the number of calls is looked for, batches of a size that is sought are shorter.
func TestBatchesAreShortWhileTheLimitIsSought(t *testing.T) {
	r := opening(1000, 3, nil)
	b := sizing.NewBatch(sizing.BatchBounds{Target: time.Second, Most: 1000})
	for !b.Ready() {
		size := b.Size(0, 1000, 1)
		b.Succeeded(size, time.Millisecond+time.Duration(size)*time.Millisecond)
	}
	b.Shorten(false)
	long := b.Size(0, 100_000, 1)
	r.batches = &batching{b}
	r.scheduler.decideWaiting(20 * time.Millisecond)
	require.True(t, r.sharing.tracker.Exploring())
	require.Less(t, b.Size(0, 100_000, 1), long)
	r.calls(1, 16, refused(503))
	r.scheduler.decideWaiting(30 * time.Millisecond)
	require.False(t, r.sharing.tracker.Exploring())
	require.Equal(t, long, b.Size(0, 100_000, 1))
	r.batches = &batching{}
	require.NotPanics(t, func() { r.scheduler.decideWaiting(30 * time.Millisecond) }, "their size may be given")
}

// inLanes has each item wait in a line of its own, for so long.
type inLanes map[int]time.Duration

func (inLanes) Of(i int) (line uint64, ok bool) { return uint64(i), true }
func (l inLanes) Wait(i int) time.Duration      { return l[i] }

// Policies starve workers that wait while an item is held back: not those that wait for items to come, nor while other
// items keep them busy.
func TestStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wired(Config{}, 2)
		require.False(t, r.scheduler.starved(), "nobody waits")
		lanes := source.NewLanes(source.NewSlice(0, 2), inLanes{0: time.Hour})
		r.of(lanes)
		s, _, ok := lanes.Take(1, 1)
		require.True(t, ok)
		require.Equal(t, span{Lo: 1, Hi: 2}, s, "the other one goes first")
		require.Equal(t, 1, source.Parked(lanes))
		require.False(t, r.scheduler.starved(), "nobody waits for the first")
		go lanes.Take(1, 1)
		synctest.Wait()
		require.True(t, r.scheduler.starved())
		require.Equal(t, BoundByPolicies, r.scheduler.boundOf(Moment{Limit: 1}))
		lanes.Stop()
		synctest.Wait()
		r.of(starving{source.NewArrivals(9, false)})
		require.False(t, r.scheduler.starved(), "it is the input that is slow")
	})
}

// The next item of a line goes as soon as nothing holds back the one before it, or that is done with.
func TestNextOfALineGoes(t *testing.T) {
	for name, tell := range map[string]func(*worker){"passed": (*worker).passed, "done": func(w *worker) { w.passed(); w.did() }} {
		synctest.Test(t, func(t *testing.T) {
			lanes := source.NewLanes(source.NewSlice(0, 2), oneLine{})
			w := &worker{lanes: lanes}
			w.claimed, _, _ = lanes.Take(1, 1)
			next := make(chan span, 1)
			go func() { s, _, _ := lanes.Take(1, 1); next <- s }()
			synctest.Wait()
			require.Empty(t, next, name)
			tell(w)
			synctest.Wait()
			require.Len(t, next, 1, name)
			require.Equal(t, span{Lo: 1, Hi: 2}, <-next, name)
		})
	}
	(&worker{}).passed() // where items wait in no lines
	(&worker{}).did()
}

// A limit on amounts is minded whatever else is foreseen.
func TestBudgetIsForeseen(t *testing.T) {
	for calls, want := range map[int]time.Duration{callsToTell: 500 * time.Second, callsToTell - 1: 0} {
		p := running(func(p *run) {
			spent := &spending{calls: calls, amount: 5 * float64(calls)}
			p.cfg.budgets = []budget{{spent: spent, rate: 10}}
		})
		if want > 0 {
			require.Equal(t, want, p.planner.plan.PredictedDuration)
		} else {
			require.Less(t, p.planner.plan.PredictedDuration, 5*time.Second)
		}
	}
}

// A share of a core that was not measured for what waits is not looked at.
func TestFirstCallsThatWereFoundToWait(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.top, r.planner.reach = 1000, 1000
	r.scheduler.share.set(0.9)
	r.scheduler.openFound(0, hillclimb.Observation{Items: 9, Busy: time.Second, Procs: 2})
	require.Equal(t, optimizer.FirstWindow, r.sharing.tracker.Limit())
}

// Calls that were under way before there was a limit, and more than it, tell nothing of it: what a call takes is
// learned from those that begin behind them.
func TestCallsBeforeTheLimitTellNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wired(Config{}, 1000)
		r.planner.top, r.planner.reach, r.sharing.shares = 1000, 1000, true
		r.scheduler.allow(1000)
		tracker := r.sharing.tracker
		tracker.Enlist(&r.sharing, clock.Now())
		tracker.Open(clock.Now(), 4, 0, 0, false)
		r.scheduler.mode.Store(modeWaiting)
		attempts := make([]flight.Attempt, 5)
		for i := range attempts {
			r.crew.workers = append(r.crew.workers, inCall(1, clock.Now()))
			tracker.Enter(&attempts[i], clock.Now(), 1, 1)
		}
		time.Sleep(9 * time.Second)
		r.scheduler.takeTurns()
		tracker.Turns.Allow(100)
		for range 4 {
			time.Sleep(time.Second)
			for i := range attempts {
				tracker.Leave(&attempts[i], clock.Now(), 1, nil)
				tracker.Enter(&attempts[i], clock.Now(), 1, 1)
			}
		}
		require.InEpsilon(t, time.Second, tracker.Review(clock.Now(), adaptive.Conditions{}).Base, 0.01)
	})
}
