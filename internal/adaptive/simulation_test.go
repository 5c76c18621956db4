package adaptive

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/queueing"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// seeds returns how often every scenario is played, and what is demanded then. The same
// seed is the same run every time.
func seeds(d scenarios.Demand) (uint64, scenarios.Demand) {
	if scenarios.Raced {
		return 1, d.OfOne()
	}
	return 20, d
}

// alone is how long the first call is by itself, as in a run of the engine.
const alone = time.Millisecond

// fixed is a limit that someone chose.
type fixed int

func (f fixed) Limit() int                           { return int(f) }
func (f fixed) Epoch() int64                         { return 0 }
func (f fixed) Bound(time.Duration, int, int)        {}
func (f fixed) Observe(Conditions)                   {}
func (f fixed) Done(time.Duration, Attempt) bool     { return false }
func (f fixed) Lose(time.Duration, Attempt, bool)    {}
func (f fixed) Review(time.Duration, []Attempt) bool { return false }
func (f fixed) Silence(time.Duration)                {}
func (f fixed) State() State                         { return State{} }
func (f fixed) Reason() string                       { return "" }

// ours is the controller, which is told apart what the first call took, as by the engine.
func ours() *firstAlone {
	return &firstAlone{New(alone, Start{First: 16, Floor: 1, Ceiling: 1 << 14})}
}

type firstAlone struct{ *Controller }

func (o *firstAlone) Done(now time.Duration, c Attempt) bool {
	if c.Began < alone {
		o.Alone(now - c.Began)
		return false
	}
	return o.Controller.Done(now, c)
}

// ended is a call of a simulated run that has ended.
type ended struct {
	at       time.Duration
	took     time.Duration
	inFlight int
	lost     bool
}

// play runs a scenario: one call alone until the alarm, then as many as the law says.
// A call that is lost is made again. It takes a microsecond a call, and the same
// events in the same order every time.
func play(s scenarios.Scenario, seed uint64, law Law) (trace []ended) {
	server := queueing.New(s.Phases[0].Conditions, seed)
	phases := s.Phases[1:]
	open := map[int]Attempt{}
	now, good := time.Duration(0), 0
	fill := func() {
		most := law.Limit()
		if now < alone {
			most = 1
		}
		for len(open) < most && (s.Calls == 0 || good+len(open) < s.Calls) {
			open[server.Arrive(now)] = Attempt{Began: now, InFlight: len(open) + 1, Epoch: law.Epoch(), Items: 1, Cost: 1}
		}
	}
	for fill(); s.Calls == 0 || good < s.Calls; fill() {
		next, ok := server.Next()
		switch {
		case now < alone && (!ok || next > alone):
			now = alone
			continue
		case len(phases) > 0 && (!ok || phases[0].From < next):
			now = phases[0].From
			server.Change(now, phases[0].Conditions)
			phases = phases[1:]
			continue
		case !ok || s.Length > 0 && next > s.Length:
			return trace
		}
		now = next
		for _, reply := range server.Advance(now) {
			call := open[reply.Call]
			trace = append(trace, ended{now, now - call.Began, len(open), reply.Err != nil})
			if refused, lost := errors.AsType[*queueing.RefusedError](reply.Err); lost {
				law.Lose(now, call, refused.Reason == queueing.Throttled)
			} else {
				good++
				if law.Done(now, call) {
					law.Review(now, inOrder(open))
				}
			}
			delete(open, reply.Call)
			fill()
		}
	}
	return trace
}

// inOrder lists attempts in an order that is always the same.
func inOrder(open map[int]Attempt) (list []Attempt) {
	for _, id := range slices.Sorted(maps.Keys(open)) {
		list = append(list, open[id])
	}
	return list
}

// outcome is what a run achieved.
type outcome struct {
	share, lost, p99, inFlight float64
	phase                      float64   // share of the best in the worst phase
	rounds                     []float64 // of each phase until goodput is what it can be
}

func TestSteadyServices(t *testing.T) {
	for _, s := range scenarios.Steady() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var all []outcome
			n, demand := seeds(s.Demand)
			for seed := range n {
				got, best := play(s, seed, ours()), play(s, seed, fixed(s.Phases[0].Best))
				all = append(all, outcome{
					share: timeOf(best, s.Skip).Seconds() / timeOf(got, s.Skip).Seconds(),
					lost:  lostShare(got), p99: p99(got) / p99(best),
					inFlight: meanInFlight(got) / float64(s.Phases[0].Best),
				})
			}
			meets(t, demand, all)
		})
	}
}

func TestChangingServices(t *testing.T) {
	for _, s := range scenarios.Changing() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var all []outcome
			n, demand := seeds(s.Demand)
			for seed := range n {
				got := play(s, seed, ours())
				o := outcome{lost: lostShare(got), phase: 1}
				best := 0.0
				for i, p := range s.Phases {
					until := s.Length
					if i+1 < len(s.Phases) {
						until = s.Phases[i+1].From
					}
					best += p.Rate * (until - p.From).Seconds()
					o.rounds = append(o.rounds, settled(got, p, until))
					o.phase = min(o.phase, goodput(got, p.From, until)/p.Rate)
				}
				o.share = float64(len(got)) / best
				all = append(all, o)
			}
			meets(t, demand, all)
		})
	}
}

// meets asserts what is demanded over all seeds.
func meets(t *testing.T, d scenarios.Demand, all []outcome) {
	of := func(what func(outcome) float64) (values []float64) {
		for _, o := range all {
			values = append(values, what(o))
		}
		slices.Sort(values)
		return values
	}
	middle := len(all) / 2
	share := of(func(o outcome) float64 { return o.share })
	lost := of(func(o outcome) float64 { return o.lost })
	p99 := of(func(o outcome) float64 { return o.p99 })
	inFlight := of(func(o outcome) float64 { return o.inFlight })
	t.Logf("goodput %.3f [%.3f] of the best, lost %.2f %% [%.2f %%], p99 × %.2f, in flight × %.2f",
		share[middle], share[0], 100*lost[middle], 100*lost[len(all)-1], p99[middle], inFlight[middle])
	require.GreaterOrEqual(t, share[middle], d.Median, "median share of the best goodput")
	require.GreaterOrEqual(t, share[0], d.Worst, "worst share of the best goodput")
	require.LessOrEqual(t, lost[middle], d.Lost, "median share of calls lost")
	if d.P99 > 0 {
		require.LessOrEqual(t, p99[middle], d.P99, "p99 latency relative to the best")
	}
	if d.InFlight > 0 {
		require.LessOrEqual(t, inFlight[middle], d.InFlight, "calls in flight relative to the best")
	}
	if d.Phase > 0 {
		phase := of(func(o outcome) float64 { return o.phase })
		t.Logf("worst phase %.3f %.3f of the best", phase[middle], phase)
		require.GreaterOrEqual(t, phase[middle], d.Phase, "median share of the best goodput in the worst phase")
	}
	for i := range all[0].rounds {
		rounds := of(func(o outcome) float64 { return o.rounds[i] })
		t.Logf("phase %d: within 10 %% after %.1f rounds [%.1f]", i, rounds[middle], rounds[len(all)-1])
		require.LessOrEqual(t, rounds[middle], d.Rounds, "median rounds until settled in phase %d", i)
	}
}

// timeOf is the time from the skipped calls to the last one.
func timeOf(trace []ended, skip int) time.Duration {
	good, from := 0, time.Duration(0)
	for _, e := range trace {
		if e.lost {
			continue
		}
		if good++; good == skip {
			from = e.at
		}
	}
	return trace[len(trace)-1].at - from
}

// goodput is the answered calls a second in a part of the run.
func goodput(trace []ended, from, until time.Duration) float64 {
	n := 0.0
	for _, e := range trace {
		if !e.lost && e.at >= from && e.at < until {
			n++
		}
	}
	return n / (until - from).Seconds()
}

// settled returns after how many rounds of calls three rounds in a row, taken
// together, reached 90 % of what the phase can do.
func settled(trace []ended, p scenarios.Phase, until time.Duration) float64 {
	round := float64(p.Best) / p.Rate
	enough := int(0.9 * 3 * float64(p.Best))
	var ends []float64
	for _, e := range trace {
		if !e.lost && e.at >= p.From && e.at < until {
			ends = append(ends, (e.at - p.From).Seconds())
		}
	}
	for i := enough; i < len(ends); i++ {
		if ends[i]-ends[i-enough] <= 3*round {
			return ends[i] / round
		}
	}
	return math.Inf(1)
}

func lostShare(trace []ended) float64 {
	lost := 0
	for _, e := range trace {
		if e.lost {
			lost++
		}
	}
	return float64(lost) / float64(len(trace))
}

// p99 is over the second half: once settled.
func p99(trace []ended) float64 {
	var took []float64
	for _, e := range trace[len(trace)/2:] {
		if !e.lost {
			took = append(took, e.took.Seconds())
		}
	}
	slices.Sort(took)
	return took[int(math.Ceil(0.99*float64(len(took))))-1]
}

func meanInFlight(trace []ended) float64 {
	area, last := 0.0, time.Duration(0)
	for _, e := range trace {
		area += float64(e.inFlight) * (e.at - last).Seconds()
		last = e.at
	}
	return area / last.Seconds()
}
