// Package scenarios holds the simulated services that adaptive concurrency is
// tried on, with what is demanded of it there. They are shared by the tests of
// the controller, those of the engine, and the plots.
package scenarios

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/amorsize/amorsize/internal/queueing"
)

// Scenario is a service over time and how much work is done with it: Calls, or
// as many as can be done in Length.
type Scenario struct {
	Name   string
	Calls  int
	Length time.Duration
	Skip   int // calls at the start that do not count
	Phases []Phase
	Demand Demand
}

// Phase is what the service is like from a time on.
type Phase struct {
	From       time.Duration
	Conditions queueing.Conditions
	Best       int     // the best fixed number of calls in flight
	Rate       float64 // calls a second that it achieves
}

// Demand is what must hold over all seeds.
type Demand struct {
	Median, Worst float64 // least share of the best goodput
	Lost          float64 // most share of calls lost, median
	P99           float64 // most times the p99 latency of the best, once settled, median; 0 is not asked
	InFlight      float64 // most calls in flight on average, as a multiple of the best, median; 0 is not asked
	Phase         float64 // least share of the best goodput in the worst phase of a changing service, median; 0 is not asked
	Rounds        float64 // most rounds of calls until goodput is within 10 % of a new phase's best, median
}

// Fewer returns n, or a fifth of it where the race detector is on or words have 32 bits: of seeds
// or items that a test takes its time for. Neither is about what is typical of many.
func Fewer(n int) int {
	if Raced || bits.UintSize == 32 {
		return max(1, n/5)
	}
	return n
}

// OfOne is what must hold for each seed alone.
func (d Demand) OfOne() Demand {
	return Demand{Worst: d.Worst, Lost: 1, Rounds: math.Inf(1)}
}

const (
	ms   = time.Millisecond
	base = 20 * ms
)

type conditions = queueing.Conditions

// Steady are services that stay as they are.
func Steady() []Scenario {
	all := slices.Concat(sixteenSlots(), congested(), distant(), sizes(), loopback(), cached())
	return append(all,
		steady("500/s, answered by 429", 4000, 10, Demand{Median: 0.97, Worst: 0.95, Lost: 0.03, InFlight: 1.5},
			conditions{Rate: 500, Burst: 10, Latency: queueing.Lognormal(base, 0.1), Refusal: ms}),
		steady("no limit, one call in 50 takes 50 times as long", 20_000, 4096, Demand{Median: 0.93, Worst: 0.90},
			conditions{Latency: queueing.Mixture(queueing.Constant(base), queueing.Constant(50*base), 0.02)}),
	)
}

// sixteenSlots are services that let calls wait, without end or in a short line.
func sixteenSlots() []Scenario {
	fifo := Demand{Median: 0.95, Worst: 0.92, P99: 2.5}
	spread := Demand{Median: 0.95, Worst: 0.90, Lost: 0.01}
	var all []Scenario
	for _, law := range []struct {
		name string
		law  queueing.Law
	}{
		{"constant", queueing.Constant(base)},
		{"lognormal", queueing.Lognormal(base, 0.5)},
		{"exponential", queueing.Exponential(base)},
	} {
		sixteen := func(name string, d Demand, c conditions) {
			c.Slots, c.Latency, c.Refusal = 16, law.law, ms
			all = append(all, steady("16 slots, "+law.name+name, 4000, 16, d, c))
		}
		sixteen("", fifo, conditions{})
		sixteen(", refuses above a line of 64", fifo, conditions{Line: 64})
		sixteen(", refuses above a line of 4", spread, conditions{Line: 4})
	}
	return all
}

// congested are services that the calls that wait slow down.
func congested() []Scenario {
	return []Scenario{
		steady("16 slots, constant, congestion", 4000, 16, Demand{Median: 0.95, Worst: 0.93, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Constant(base), Congestion: 0.7}),
		steady("16 slots, lognormal, congestion", 4000, 16, Demand{Median: 0.90, Worst: 0.82, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Lognormal(base, 0.5), Congestion: 0.7}),
		steady("16 slots, exponential, congestion", 4000, 16, Demand{Median: 0.80, Worst: 0.60, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Exponential(base), Congestion: 0.7}),
	}
}

// distant are services that a call takes longer to reach than to keep busy.
func distant() []Scenario {
	return []Scenario{
		steady("16 slots behind 30 ms of network", 4000, 40, Demand{Median: 0.97, Worst: 0.92},
			conditions{Slots: 16, Latency: queueing.Constant(base), Network: 30 * ms}),
		steady("16 slots behind 30 ms of network, lognormal", 4000, 44, Demand{Median: 0.97, Worst: 0.90},
			conditions{Slots: 16, Latency: queueing.Lognormal(base, 0.5), Network: 30 * ms}),
	}
}

// sizes are services of one slot up to a thousand.
func sizes() []Scenario {
	var all []Scenario
	for _, n := range []int{1, 2, 100, 1000} {
		s := steady(strconv.Itoa(n)+" slots, lognormal", max(400*min(n, 20), 20*n)+20*n, n, Demand{Median: 0.93, Worst: 0.90},
			conditions{Slots: n, Latency: queueing.Lognormal(base, 0.5)})
		s.Skip = 20 * n
		all = append(all, s)
	}
	return all
}

// loopback are the services of the benchmarks in real time, under several laws.
func loopback() []Scenario {
	const busy = 5 * ms
	var all []Scenario
	for _, law := range []struct {
		name               string
		law                func(time.Duration) queueing.Law
		two, sixteen, many float64 // least share of the best goodput, congested, median
	}{
		{"constant", queueing.Constant, 0.86, 0.95, 0.90},
		{"lognormal 0.2", func(d time.Duration) queueing.Law { return queueing.Lognormal(d, 0.2) }, 0.86, 0.95, 0.88},
		{"lognormal 0.5", func(d time.Duration) queueing.Law { return queueing.Lognormal(d, 0.5) }, 0.85, 0.90, 0.85},
		{"exponential", queueing.Exponential, 0.74, 0.77, 0.79},
	} {
		at := func(name string, slots, calls, best int, least float64, mean time.Duration, c conditions) {
			c.Slots, c.Latency = slots, law.law(mean)
			all = append(all, steady(name+", "+law.name, calls, best, Demand{Median: least, Worst: least - 0.18, Lost: 0.012}, c))
		}
		at("2 slots × 5 ms, congestion", 2, 1000, 2, law.two, busy, conditions{Congestion: 0.7})
		at("16 slots × 5 ms, congestion", 16, 4000, 16, law.sixteen, busy, conditions{Congestion: 0.7})
		at("16 slots × 5 ms, congestion, network", 16, 4000, 18, law.sixteen, busy, conditions{Congestion: 0.7, Network: ms / 2})
		at("256 slots × 20 ms, congestion", 256, 16_000, 256, law.many, base, conditions{Congestion: 0.7})
		at("256 slots × 20 ms", 256, 16_000, 256, law.many, base, conditions{})
		at("16 slots × 5 ms, refuses above a line of 64", 16, 4000, 16, 0.98, busy, conditions{Line: 64})
		at("16 slots × 5 ms, refuses above a line of 4", 16, 4000, 16, 0.98, busy, conditions{Line: 4})
	}
	return all
}

// cached are services of which one call in ten takes eleven times as long as the
// others, as those that miss a cache.
func cached() []Scenario {
	law := func(mean time.Duration) queueing.Law {
		return queueing.Mixture(queueing.Constant(mean/2), queueing.Constant(mean*11/2), 0.1)
	}
	return []Scenario{
		steady("16 slots × 5 ms, cached", 4000, 16, Demand{Median: 0.88, Worst: 0.75}, conditions{Slots: 16, Latency: law(5 * ms)}),
		steady("16 slots × 5 ms, cached, congestion", 4000, 16, Demand{Median: 0.72, Worst: 0.54}, conditions{Slots: 16, Latency: law(5 * ms), Congestion: 0.7}),
		steady("256 slots × 20 ms, cached", 16_000, 256, Demand{Median: 0.79, Worst: 0.50}, conditions{Slots: 256, Latency: law(base)}),
		steady("256 slots × 20 ms, cached, congestion", 16_000, 256, Demand{Median: 0.69, Worst: 0.55}, conditions{Slots: 256, Latency: law(base), Congestion: 0.7}),
	}
}

// Changing are services that change.
func Changing() []Scenario {
	slots := func(n int, mean time.Duration, sigma float64) Phase {
		law := queueing.Constant(mean)
		if sigma > 0 {
			law = queueing.Lognormal(mean, sigma)
		}
		return Phase{Conditions: conditions{Slots: n, Latency: law}, Best: n, Rate: float64(n) / mean.Seconds()}
	}
	congested := func(mean time.Duration, sigma float64) Phase {
		p := slots(16, mean, sigma)
		p.Conditions.Congestion = 0.7
		return p
	}
	var all []Scenario
	for _, law := range []struct {
		name  string
		sigma float64
		phase float64 // of the congested service, see Demand
	}{{"constant", 0, 0.90}, {"lognormal 0.2", 0.2, 0.90}, {"lognormal 0.5", 0.5, 0.88}} {
		worst := Demand{Median: law.phase, Worst: law.phase - 0.2, Phase: law.phase, Rounds: 25}
		all = append(all, changing("16 slots, congestion, 5, 50, 5 ms, "+law.name, worst,
			2*time.Second, congested(5*ms, law.sigma), 5*time.Second, congested(50*ms, law.sigma), 2*time.Second, congested(5*ms, law.sigma)))
		demand := Demand{Median: 0.95, Worst: 0.90, Rounds: 15}
		fewer := Demand{Median: 0.945, Worst: 0.78, Rounds: 17} // one seed in 20 takes a second to see that there are 32
		all = append(all,
			changing("64 slots, 5, 50, 5 ms, "+law.name, demand,
				time.Second, slots(64, 5*ms, law.sigma), 5*time.Second, slots(64, 50*ms, law.sigma), time.Second, slots(64, 5*ms, law.sigma)),
			changing("16, 4, 32 slots, "+law.name, fewer,
				4*time.Second, slots(16, base, law.sigma), 4*time.Second, slots(4, base, law.sigma), 4*time.Second, slots(32, base, law.sigma)))
	}
	incident := Demand{Median: 0.95, Worst: 0.90, Rounds: 30}
	return append(all, changing("half an hour of ten times the latency", incident,
		10*time.Second, slots(4, base, 0.2), 30*time.Minute, slots(4, 10*base, 0.2), 10*time.Second, slots(4, base, 0.2)))
}

func steady(name string, calls, best int, d Demand, c conditions) Scenario {
	return Scenario{Name: name, Calls: calls, Demand: d, Phases: []Phase{{Conditions: c, Best: best}}}
}

// changing takes phases, each after its length.
func changing(name string, d Demand, parts ...any) Scenario {
	s := Scenario{Name: name, Demand: d}
	for i := 0; i < len(parts); i += 2 {
		phase := parts[i+1].(Phase) //nolint:gosec // they come in pairs
		phase.From = s.Length
		s.Phases = append(s.Phases, phase)
		s.Length += parts[i].(time.Duration)
	}
	return s
}
