package amorsizetest_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// run has the engine make calls of a simulated service, in virtual time.
func run(t *testing.T, s scenarios.Scenario, seed uint64, calls int, opts ...amorsize.Option) (timeline amorsizetest.Timeline, report amorsize.Report) {
	synctest.Test(t, func(t *testing.T) {
		service := amorsizetest.New(amorsizetest.Of(s.Phases[0].Conditions), seed)
		for _, p := range s.Phases[1:] {
			service.At(p.From, amorsizetest.Of(p.Conditions))
		}
		ctx := t.Context()
		if s.Length > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, s.Length)
			defer cancel()
		}
		opts := append(opts, amorsize.WithReport(&report), amorsize.WithErrors(amorsize.Collect))
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ struct{}) (struct{}, error) {
			return struct{}{}, service.Call(ctx)
		}, make([]struct{}, calls), opts...)
		timeline = service.Timeline()
	})
	return timeline, report
}

// manyCalls is what takes long: the controller alone is tried on more, with all seeds, in
// package executor.
var manyCalls = scenarios.Fewer(20_000)

// scheduling is what chance may cost here: goroutines are not scheduled the same
// way twice, and there are few seeds. What is demanded is asserted without it on
// the controller, where every event has its place.
const scheduling = 0.03

// chance is scheduling, and half of what the worst of the controller's seeds is behind
// the middle one: where much depends on the seed, it does on the schedule.
func chance(d scenarios.Demand) float64 { return scheduling + (d.Median-d.Worst)/2 }

// TestSteadyServices holds the engine itself, goroutines and all, against what
// is demanded of its controller.
func TestSteadyServices(t *testing.T) {
	for _, s := range scenarios.Steady() {
		if s.Calls > manyCalls {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			seeds, demand, chance := uint64(3), s.Demand, chance(s.Demand)
			if scenarios.Raced {
				seeds, demand = 1, demand.OfOne()
			}
			var shares, lost []float64
			for seed := range seeds {
				got, _ := run(t, s, seed, s.Calls)
				best, _ := run(t, s, seed, s.Calls, amorsize.WithWorkers(s.Phases[0].Best))
				shares = append(shares, got.After(s.Skip).Goodput()/best.After(s.Skip).Goodput())
				lost = append(lost, got.Lost())
			}
			slices.Sort(shares)
			slices.Sort(lost)
			t.Logf("goodput %.3f [%.3f] of the best, lost %.2f %%", shares[seeds/2], shares[0], 100*lost[seeds/2])
			require.GreaterOrEqual(t, shares[seeds/2], demand.Median-chance)
			require.GreaterOrEqual(t, shares[0], demand.Worst-2*chance)
			require.LessOrEqual(t, lost[seeds/2], demand.Lost+scheduling/2)
		})
	}
}

// TestChangingServices is the same for services that change.
func TestChangingServices(t *testing.T) {
	for _, s := range scenarios.Changing() {
		if s.Length > time.Minute || s.Phases[0].Rate > float64(manyCalls) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			most := 0.0
			for i, p := range s.Phases {
				until := s.Length
				if i+1 < len(s.Phases) {
					until = s.Phases[i+1].From
				}
				most += p.Rate * (until - p.From).Seconds()
			}
			got, report := run(t, s, 1, int(2*most))
			share := float64(got.Succeeded()) / most
			t.Logf("goodput %.3f of the best\n%s", share, &report)
			require.GreaterOrEqual(t, share, s.Demand.Worst-scheduling)
		})
	}
}
