package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/amorsize/amorsize/amorsizetest"
)

var (
	simulatedOut   = flag.String("out", "", "file to write the tables to")
	simulatedSeeds = flag.Int("seeds", 1, "seeds of each simulated service")
	simulatedPeers = flag.Bool("peers", false, "simulate the peers as well")
)

const ms = time.Millisecond

// law is how calls vary about their mean.
type law struct {
	name string
	of   func(mean time.Duration) amorsizetest.Law
}

var laws = []law{
	{"constant", amorsizetest.Constant},
	{"lognormal 0.2", func(d time.Duration) amorsizetest.Law { return amorsizetest.Lognormal(d, 0.2) }},
	{"lognormal 0.5", func(d time.Duration) amorsizetest.Law { return amorsizetest.Lognormal(d, 0.5) }},
	{"bimodal", func(d time.Duration) amorsizetest.Law { // a cache: four of five take half of the mean
		return amorsizetest.Mixture(amorsizetest.Constant(d/2), amorsizetest.Constant(3*d), 0.2)
	}},
}

// phase is what a service is like for a while, to the end if long is 0.
type phase struct {
	long       time.Duration
	mean       time.Duration
	conditions amorsizetest.Conditions
}

// room is a simulated service, and how many of its calls are made. Claimed, for each of
// the laws, is the least median goodput over many seeds, and that of the worst seed; 0 is
// no claim.
type room struct {
	name          string
	calls, best   int
	phases        []phase
	median, worst [4]float64
}

func rooms() []room {
	congested := func(slots int, mean time.Duration) phase {
		return phase{0, mean, amorsizetest.Conditions{Slots: slots, Congestion: 0.7}}
	}
	during := func(long time.Duration, p phase) phase { p.long = long; return p }
	refusing := func(line int) []phase {
		return []phase{{0, 5 * ms, amorsizetest.Conditions{Slots: 16, Line: line, Refusal: ms}}}
	}
	endless := func(mean time.Duration) []phase { return []phase{{mean: mean}} }
	return []room{
		{"2 slots × 5 ms, congestion", 1000, 2, []phase{congested(2, 5*ms)}, [4]float64{0.84, 0.83, 0.80, 0.55}, [4]float64{0.74, 0.78, 0.68, 0}},
		{"16 slots × 5 ms, congestion", 4000, 16, []phase{congested(16, 5*ms)}, [4]float64{0.93, 0.92, 0.86, 0.60}, [4]float64{0.90, 0.88, 0.75, 0}},
		{"256 slots × 20 ms, congestion", 16_000, 256, []phase{congested(256, 20*ms)}, [4]float64{0.87, 0.84, 0.80, 0.30}, [4]float64{0.83, 0.78, 0.70, 0}},
		{"16 slots × 5 ms, refuses above a line of 64", 4000, 16, refusing(64), [4]float64{0.94, 0.95, 0.94, 0.75}, [4]float64{0.90, 0.90, 0.87, 0}},
		{"16 slots × 5 ms, refuses above a line of 4", 4000, 16, refusing(4), [4]float64{0.94, 0.94, 0.94, 0.80}, [4]float64{0.90, 0.90, 0.87, 0}},
		{"16 slots, congestion, 5, 50, 5 ms", 0, 16, []phase{
			during(2*time.Second, congested(16, 5*ms)), during(5*time.Second, congested(16, 50*ms)), during(2*time.Second, congested(16, 5*ms)),
		}, [4]float64{0.92, 0.91, 0.86, 0.50}, [4]float64{0.85, 0.85, 0.80, 0}},
		{"no limit, 1000 × 100 ms", 1000, 1000, endless(100 * ms), [4]float64{0.18, 0.20, 0.25, 0.20}, [4]float64{0.15, 0.10, 0.15, 0}},
		{"no limit, 2000 × 5 ms", 2000, 2000, endless(5 * ms), [4]float64{0.12, 0.14, 0.20, 0.05}, [4]float64{0.10, 0.08, 0.15, 0}},
	}
}

// TestSimulated holds the engine, beside the best fixed number of calls in flight and
// the adaptive limiters of others, against what the documentation claims.
func TestSimulated(t *testing.T) {
	var text bytes.Buffer
	o := options{claims: new(claims), out: &text, seeds: *simulatedSeeds, peers: *simulatedPeers}
	arms := []serviceArm{{"**amorsize**", runOurs}}
	if o.peers {
		arms = append(arms, adaptivePeers()...)
	}
	columns := []string{"service", "calls", "claimed"}
	for _, a := range arms {
		columns = append(columns, a.name)
	}
	table := newTable(o, "Goodput", fmt.Sprintf("Relative to the best fixed number of calls in flight, %d seeds: median, and the worst in brackets. Of amorsize the share of calls refused, too, where some may be.", o.seeds), columns...)
	for _, r := range rooms() {
		for i, l := range laws {
			row := []string{r.name, l.name, r.claimed(i)}
			for k, a := range arms {
				shares, refused := r.shares(t, l, a, o.seeds)
				row = append(row, cell(shares, refused, k == 0 && r.phases[0].conditions.Line > 0))
				if k == 0 {
					r.claim(o, i, shares, refused)
				}
			}
			table.row(row...)
		}
	}
	for _, missed := range o.missed {
		t.Error(missed)
	}
	if *simulatedOut != "" {
		if err := os.WriteFile(*simulatedOut, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// claimed returns what is claimed under a law, as it is printed.
func (r room) claimed(i int) string {
	if r.worst[i] == 0 {
		return fmt.Sprintf("%.2f", r.median[i])
	}
	return fmt.Sprintf("%.2f [%.2f]", r.median[i], r.worst[i])
}

// claim holds what was seen of the engine under a law against what is claimed.
func (r room) claim(o options, i int, shares, refused []float64) {
	const many = 10 // of fewer seeds the median is chance
	name := r.name + ", " + laws[i].name
	middle, worst := median(slices.Clone(shares)), slices.Min(shares)
	o.require(len(shares) < many || middle >= r.median[i], "%s: goodput %.3f in the median, and %.2f is claimed", name, middle, r.median[i])
	o.require(worst >= r.worst[i], "%s: goodput %.3f at worst, and %.2f is claimed", name, worst, r.worst[i])
	lost := median(slices.Clone(refused))
	o.require(len(shares) < many || lost <= 0.04, "%s: %.3f of all calls are lost, and 0.04 is claimed", name, lost)
}

func cell(shares, refused []float64, withRefused bool) string {
	text := fmt.Sprintf("%.2f [%.2f]", median(shares), slices.Min(shares))
	if withRefused {
		text += fmt.Sprintf(", %.1f %%", 100*median(refused))
	}
	return text
}

// shares returns the goodput of an arm relative to the best fixed number, and the
// share of its calls that were refused, seed by seed.
func (r room) shares(t *testing.T, l law, a serviceArm, seeds int) (shares, refused []float64) {
	for seed := range uint64(seeds) {
		got, best := r.run(t, l, a, seed), r.run(t, l, serviceArm{"best", runFixed(r.best)}, seed)
		shares = append(shares, got.Goodput()/best.Goodput())
		refused = append(refused, got.Lost())
	}
	return shares, refused
}

// run makes the calls of a room with an arm, in virtual time.
func (r room) run(t *testing.T, l law, a serviceArm, seed uint64) (timeline amorsizetest.Timeline) {
	synctest.Test(t, func(t *testing.T) {
		conditions := func(p phase) amorsizetest.Conditions {
			p.conditions.Latency = l.of(p.mean)
			return p.conditions
		}
		service := amorsizetest.New(conditions(r.phases[0]), seed)
		length := r.phases[0].long
		for _, p := range r.phases[1:] {
			service.At(length, conditions(p))
			length += p.long
		}
		ctx, calls := t.Context(), r.calls
		if length > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, length)
			defer cancel()
			calls = 1 << 15 // more than can be answered
		}
		a.run(ctx, func(ctx context.Context) error {
			err := service.Call(ctx)
			if _, ok := errors.AsType[*amorsizetest.RefusedError](err); ok {
				return refusedError{}
			}
			return err
		}, calls)
		timeline = service.Timeline()
	})
	return timeline
}
