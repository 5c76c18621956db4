// Package scenarios holds the simulated services that adaptive concurrency is
// tried on, with what is demanded of it there. They are shared by the tests of
// the controller, those of the engine, and the plots.
package scenarios

import (
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
	Rounds        float64 // most rounds of calls until goodput is within 10 % of a new phase's best, median
}

const (
	ms   = time.Millisecond
	base = 20 * ms
)

type conditions = queueing.Conditions

// Steady are services that stay as they are.
func Steady() []Scenario {
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
	all = append(all,
		steady("16 slots, constant, congestion", 4000, 16, Demand{Median: 0.93, Worst: 0.90, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Constant(base), Congestion: 0.7}),
		steady("16 slots, lognormal, congestion", 4000, 16, Demand{Median: 0.85, Worst: 0.70, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Lognormal(base, 0.5), Congestion: 0.7}),
		steady("16 slots, exponential, congestion", 4000, 16, Demand{Median: 0.65, Worst: 0.40, P99: 2.5},
			conditions{Slots: 16, Latency: queueing.Exponential(base), Congestion: 0.7}),
		steady("16 slots behind 30 ms of network", 4000, 40, Demand{Median: 0.97, Worst: 0.92},
			conditions{Slots: 16, Latency: queueing.Constant(base), Network: 30 * ms}),
		steady("16 slots behind 30 ms of network, lognormal", 4000, 44, Demand{Median: 0.97, Worst: 0.90},
			conditions{Slots: 16, Latency: queueing.Lognormal(base, 0.5), Network: 30 * ms}),
	)
	for _, n := range []int{1, 2, 100, 1000} {
		s := steady(strconv.Itoa(n)+" slots, lognormal", max(400*min(n, 20), 20*n)+20*n, n, Demand{Median: 0.93, Worst: 0.90},
			conditions{Slots: n, Latency: queueing.Lognormal(base, 0.5)})
		s.Skip = 20 * n
		all = append(all, s)
	}
	return append(all,
		steady("500/s, answered by 429", 4000, 10, Demand{Median: 0.97, Worst: 0.95, Lost: 0.03, InFlight: 1.5},
			conditions{Rate: 500, Burst: 10, Latency: queueing.Lognormal(base, 0.1), Refusal: ms}),
		steady("no limit, one call in 50 takes 50 times as long", 20_000, 4096, Demand{Median: 0.93, Worst: 0.90},
			conditions{Latency: queueing.Mixture(queueing.Constant(base), queueing.Constant(50*base), 0.02)}),
	)
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
	var all []Scenario
	for _, law := range []struct {
		name  string
		sigma float64
	}{{"constant", 0}, {"lognormal 0.2", 0.2}, {"lognormal 0.5", 0.5}} {
		demand := Demand{Median: 0.95, Worst: 0.90, Rounds: 15}
		all = append(all,
			changing("64 slots, 5, 50, 5 ms, "+law.name, demand,
				time.Second, slots(64, 5*ms, law.sigma), 5*time.Second, slots(64, 50*ms, law.sigma), time.Second, slots(64, 5*ms, law.sigma)),
			changing("16, 4, 32 slots, "+law.name, demand,
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
		phase := parts[i+1].(Phase)
		phase.From = s.Length
		s.Phases = append(s.Phases, phase)
		s.Length += parts[i].(time.Duration)
	}
	return s
}
