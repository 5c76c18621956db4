package executor

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amorsize/amorsize/internal/queueing"
)

// scenario is a service over time, and what is asked of it.
type scenario struct {
	name   string
	calls  int // until so many have ended well
	phases []phaseOf
	first  int
	skip   int
	until  time.Duration
}

type phaseOf struct {
	from       time.Duration
	conditions queueing.Conditions
}

type point struct {
	at              time.Duration
	limit, inFlight int
	took            time.Duration
	lost            bool
}

// play runs a scenario against whatever sets the limit.
func play(s scenario, seed uint64, limit func() int, begin func(time.Duration, int) attempt, done func(now time.Duration, c attempt, open map[int]attempt), lose func(now time.Duration, c attempt, throttled bool) bool) (trace []point) {
	server := queueing.New(s.phases[0].conditions, seed)
	phases := s.phases[1:]
	began := map[int]attempt{}
	now := time.Duration(0)
	good, inFlight := 0, 0
	fill := func() {
		most := limit()
		if now < time.Millisecond {
			most = 1
		}
		for inFlight < most && good+inFlight < s.calls {
			inFlight++
			began[server.Arrive(now)] = begin(now, inFlight)
		}
	}
	for good < s.calls {
		fill()
		next, ok := server.Next()
		if len(phases) > 0 && (!ok || phases[0].from < next) {
			now = phases[0].from
			server.Change(now, phases[0].conditions)
			phases = phases[1:]
			continue
		}
		if now < time.Millisecond && (!ok || next > time.Millisecond) {
			now = time.Millisecond
			continue
		}
		if !ok {
			panic("nothing happens")
		}
		if s.until > 0 && next > s.until {
			break
		}
		now = next
		for _, reply := range server.Advance(now) {
			c := began[reply.Call]
			took := now - c.began
			delete(began, reply.Call)
			if reply.Err != nil {
				lose(now, c, reply.Err.(*queueing.RefusedError).Reason == queueing.Throttled)
			} else {
				good++
				done(now, c, began)
			}
			inFlight--
			trace = append(trace, point{now, limit(), inFlight, took, reply.Err != nil})
			fill()
		}
	}
	return trace
}

func playAdaptive(s scenario, seed uint64) []point {
	first := s.first
	if first == 0 {
		first = 16
	}
	// the first call alone
	a := newAdaptive(first, 1, 1<<14, time.Millisecond)
	return play(s, seed, func() int { return a.limit }, a.begin, func(now time.Duration, c attempt, open map[int]attempt) {
		if c.began < time.Millisecond {
			a.alone(now - c.began)
			return
		}
		if a.done(now, c) {
			a.review(now, maps.Values(open))
		}
	}, a.lose)
}

func playFixed(s scenario, seed uint64, n int) []point {
	return play(s, seed, func() int { return n }, func(now time.Duration, n int) attempt { return attempt{began: now} },
		func(time.Duration, attempt, map[int]attempt) {}, func(time.Duration, attempt, bool) bool { return false })
}

func one(c queueing.Conditions) []phaseOf { return []phaseOf{{0, c}} }

func TestSim(t *testing.T) {
	ms := time.Millisecond
	logn := queueing.Lognormal(20*ms, 0.5)
	exp := queueing.Exponential(20 * ms)
	con := queueing.Constant(20 * ms)
	for _, s := range []struct {
		scenario
		oracle int
	}{
		{scenario{name: "16 const", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: con})}, 16},
		{scenario{name: "16 exp", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: exp})}, 16},
		{scenario{name: "16 logn", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: logn})}, 16},
		{scenario{name: "16 const cong", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: con, Congestion: 0.7})}, 16},
		{scenario{name: "16 exp cong", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: exp, Congestion: 0.7})}, 16},
		{scenario{name: "16 logn cong", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: logn, Congestion: 0.7})}, 16},
		{scenario{name: "16 const line 64", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: con, Line: 64, Refusal: ms})}, 16},
		{scenario{name: "16 logn line 64", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: logn, Line: 64, Refusal: ms})}, 16},
		{scenario{name: "16 const line 4", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: con, Line: 4, Refusal: ms})}, 16},
		{scenario{name: "16 exp line 4", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: exp, Line: 4, Refusal: ms})}, 16},
		{scenario{name: "16 logn line 4", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: logn, Line: 4, Refusal: ms})}, 16},
		{scenario{name: "30ms + 16 const", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: con, Network: 30 * ms})}, 40},
		{scenario{name: "30ms + 16 logn", calls: 4000, phases: one(queueing.Conditions{Slots: 16, Latency: logn, Network: 30 * ms})}, 48},
		{scenario{name: "1 const", calls: 400, skip: 20, phases: one(queueing.Conditions{Slots: 1, Latency: con})}, 1},
		{scenario{name: "1 logn", calls: 400, skip: 20, phases: one(queueing.Conditions{Slots: 1, Latency: logn})}, 1},
		{scenario{name: "2 logn", calls: 800, skip: 40, phases: one(queueing.Conditions{Slots: 2, Latency: logn})}, 2},
		{scenario{name: "2 const cong", calls: 800, skip: 40, phases: one(queueing.Conditions{Slots: 2, Latency: con, Congestion: 0.7})}, 2},
		{scenario{name: "100 logn", calls: 20000, skip: 2000, phases: one(queueing.Conditions{Slots: 100, Latency: logn})}, 100},
		{scenario{name: "1000 logn", calls: 60000, skip: 20000, phases: one(queueing.Conditions{Slots: 1000, Latency: logn})}, 1000},
		{scenario{name: "500/s 429 .1", calls: 4000, phases: one(queueing.Conditions{Rate: 500, Burst: 10, Latency: queueing.Lognormal(20*ms, 0.1), Refusal: ms})}, 10},
		{scenario{name: "500/s 429 .5", calls: 4000, phases: one(queueing.Conditions{Rate: 500, Burst: 10, Latency: logn, Refusal: ms})}, 10},
		{scenario{name: "2% 50x slower", calls: 50000, phases: one(queueing.Conditions{Latency: queueing.Mixture(con, queueing.Constant(time.Second), 0.02)})}, 4096},
		{scenario{name: "100x100", calls: 100, phases: one(queueing.Conditions{Latency: queueing.Constant(100 * ms)})}, 100},
		{scenario{name: "1000x100", calls: 1000, phases: one(queueing.Conditions{Latency: queueing.Constant(100 * ms)})}, 1000},
		{scenario{name: "10000x100", calls: 10000, phases: one(queueing.Conditions{Latency: queueing.Constant(100 * ms)})}, 10000},
	} {
		if want := os.Getenv("SIM"); want != "" && !strings.HasPrefix(s.name+"$", want) {
			continue
		}
		if seed := os.Getenv("SEED"); seed != "" {
			n, _ := strconv.Atoi(seed)
			playAdaptive(s.scenario, uint64(n))
			continue
		}
		var shares, p99s, means []float64
		worstLoss := 0.0
		for seed := range uint64(20) {
			trace := playAdaptive(s.scenario, seed)
			best := playFixed(s.scenario, seed, s.oracle)
			shares = append(shares, span2(best, s.skip).Seconds()/span2(trace, s.skip).Seconds())
			if os.Getenv("EACH") != "" {
				fmt.Println("seed", seed, shares[len(shares)-1])
			}
			p99s = append(p99s, p99(trace)/p99(best))
			lost, sum := 0.0, 0.0
			for _, p := range trace {
				if p.lost {
					lost++
				}
				sum += float64(p.inFlight)
			}
			worstLoss = max(worstLoss, lost/float64(len(trace)))
			means = append(means, sum/float64(len(trace)))
		}
		slices.Sort(shares)
		slices.Sort(p99s)
		slices.Sort(means)
		fmt.Printf("%-20s median %.3f worst %.3f  p99 ×%.2f  loss %.2f%% mean n %.1f..%.1f..%.1f\n", s.name, shares[10], shares[0], p99s[10], 100*worstLoss, means[0], means[10], means[19])
	}
}

// TestPhases: services that change.
func TestPhases(t *testing.T) {
	ms := time.Millisecond
	type phase struct {
		long time.Duration
		c    queueing.Conditions
		rate float64
	}
	slots := func(n int, l queueing.Law) queueing.Conditions { return queueing.Conditions{Slots: n, Latency: l} }
	for _, sc := range []struct {
		name   string
		phases []phase
	}{
		{"5-50-5 const", []phase{{2 * time.Second, slots(64, queueing.Constant(5*ms)), 12800}, {10 * time.Second, slots(64, queueing.Constant(50*ms)), 1280}, {2 * time.Second, slots(64, queueing.Constant(5*ms)), 12800}}},
		{"5-50-5 logn.2", []phase{{2 * time.Second, slots(64, queueing.Lognormal(5*ms, .2)), 12800}, {10 * time.Second, slots(64, queueing.Lognormal(50*ms, .2)), 1280}, {2 * time.Second, slots(64, queueing.Lognormal(5*ms, .2)), 12800}}},
		{"5-50-5 logn.5", []phase{{2 * time.Second, slots(64, queueing.Lognormal(5*ms, .5)), 12800}, {10 * time.Second, slots(64, queueing.Lognormal(50*ms, .5)), 1280}, {2 * time.Second, slots(64, queueing.Lognormal(5*ms, .5)), 12800}}},
		{"16-4-32 const", []phase{{4 * time.Second, slots(16, queueing.Constant(20*ms)), 800}, {4 * time.Second, slots(4, queueing.Constant(20*ms)), 200}, {4 * time.Second, slots(32, queueing.Constant(20*ms)), 1600}}},
		{"16-4-32 logn.2", []phase{{4 * time.Second, slots(16, queueing.Lognormal(20*ms, .2)), 800}, {4 * time.Second, slots(4, queueing.Lognormal(20*ms, .2)), 200}, {4 * time.Second, slots(32, queueing.Lognormal(20*ms, .2)), 1600}}},
		{"16-4-32 logn.5", []phase{{4 * time.Second, slots(16, queueing.Lognormal(20*ms, .5)), 800}, {4 * time.Second, slots(4, queueing.Lognormal(20*ms, .5)), 200}, {4 * time.Second, slots(32, queueing.Lognormal(20*ms, .5)), 1600}}},
		{"incident logn.2", []phase{{10 * time.Second, slots(16, queueing.Lognormal(20*ms, .2)), 800}, {1800 * time.Second, slots(16, queueing.Lognormal(200*ms, .2)), 80}, {10 * time.Second, slots(16, queueing.Lognormal(20*ms, .2)), 800}}},
	} {
		if want := os.Getenv("SIM"); want != "" && !strings.HasPrefix(sc.name, want) {
			continue
		}
		seeds := 20
		first := 0
		if seed := os.Getenv("SEED"); seed != "" {
			first, _ = strconv.Atoi(seed)
			seeds = 1
		}
		var shares []float64
		settle := make([][]float64, len(sc.phases))
		for seed := range uint64(seeds) {
			s := scenario{calls: 1 << 30}
			at, most := time.Duration(0), 0.0
			for _, p := range sc.phases {
				s.phases = append(s.phases, phaseOf{at, p.c})
				at += p.long
				most += p.rate * p.long.Seconds()
			}
			s.until = at
			trace := playAdaptive(s, seed+uint64(first))
			shares = append(shares, float64(len(trace))/most)
			if os.Getenv("EACH") != "" {
				fmt.Println("seed", seed, shares[len(shares)-1])
			}
			at = 0
			for i, p := range sc.phases {
				// the first time that as many calls ended in the latest three rounds as should
				round := time.Duration(float64(p.c.Slots) / p.rate * 1e9)
				var ends []time.Duration
				for _, q := range trace {
					if q.at >= at && q.at < at+p.long {
						ends = append(ends, q.at)
					}
				}
				k := int(0.9 * 3 * float64(p.c.Slots))
				for j := k; j < len(ends); j++ {
					if ends[j]-ends[j-k] <= 3*round {
						settle[i] = append(settle[i], float64(ends[j]-at)/float64(round))
						break
					}
				}
				at += p.long
			}
		}
		slices.Sort(shares)
		fmt.Printf("%-20s median %.3f worst %.3f settle (rounds)", sc.name, shares[len(shares)/2], shares[0])
		for _, s := range settle {
			slices.Sort(s)
			fmt.Printf(" %.1f [%.1f]", s[len(s)/2], s[len(s)-1])
		}
		fmt.Println()
	}
}

func span2(trace []point, skip int) time.Duration {
	good := 0
	var from time.Duration
	for _, p := range trace {
		if !p.lost {
			good++
			if good == skip {
				from = p.at
			}
		}
	}
	return trace[len(trace)-1].at - from
}

func p99(trace []point) float64 {
	var tooks []float64
	for _, p := range trace[len(trace)/2:] {
		if !p.lost {
			tooks = append(tooks, p.took.Seconds())
		}
	}
	slices.Sort(tooks)
	return tooks[int(math.Ceil(0.99*float64(len(tooks))))-1]
}
