package main

import (
	"context"
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/amorsize/amorsize/ratelimit"
)

// limiterArm is a limiter of a rate per second with a burst of 1. acquire waits for
// a token and is false if ctx ended.
type limiterArm struct {
	name     string
	make     func(perSecond int) func(context.Context) bool
	noCancel bool // its waits can't be ended
}

func limiterArms(peers bool) []limiterArm {
	arms := []limiterArm{{name: "**amorsize**", make: func(perSecond int) func(context.Context) bool {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: float64(perSecond), BurstSize: 1})
		return func(ctx context.Context) bool { return l.Acquire(ctx) == nil }
	}}}
	if !peers {
		return arms
	}
	return append(arms, limiterArm{name: "x/time", make: func(perSecond int) func(context.Context) bool {
		l := rate.NewLimiter(rate.Limit(perSecond), 1)
		return func(ctx context.Context) bool { return l.Wait(ctx) == nil }
	}}, limiterArm{name: "uber, no slack", noCancel: true, make: func(perSecond int) func(context.Context) bool {
		l := uber.New(perSecond, uber.WithoutSlack)
		return func(ctx context.Context) bool { l.Take(); return ctx.Err() == nil }
	}})
}

// limitsSuite holds limiters against what they promise, in real time: how much of
// the allowance is used, by how much it is exceeded, and what waiting costs.
func limitsSuite(o options) {
	t := newTable(o, "Limits", "Burst 1, goroutines that do nothing but acquire. Used: grants / (rate × time). Excess: the most grants in any window beyond 1 + rate × window. "+
		"CPU: cores used meanwhile. Wake-ups: how often a goroutine began to run, per grant, of which the runtime counts one in eight.",
		"per second", "goroutines", "limiter", "used", "excess", "CPU", "wake-ups")
	for _, perSecond := range []int{1, 100, 1000, 10_000, 100_000, 1_000_000} {
		for _, goroutines := range []int{1, 64, 1024} {
			for _, arm := range limiterArms(o.peers) {
				if arm.noCancel && goroutines > 5*perSecond {
					continue // it would wait for minutes
				}
				m := conform(arm.make(perSecond), perSecond, goroutines)
				if arm.name == ours.name && perSecond >= 1000 {
					o.atLeast(fmt.Sprintf("%d per second, %d goroutines: used", perSecond, goroutines), m.used, 0.95)
					o.atMost(fmt.Sprintf("%d per second, %d goroutines: excess, ms' worth", perSecond, goroutines), 1000*m.excess/float64(perSecond), 10)
				}
				t.row(fmt.Sprint(perSecond), fmt.Sprint(goroutines), arm.name,
					fmt.Sprintf("%.3f", m.used), fmt.Sprintf("%.1f", m.excess), fmt.Sprintf("%.3f", m.cpu), fmt.Sprintf("%.2f", m.wakes))
			}
		}
	}
}

type conformance struct{ used, excess, cpu, wakes float64 }

// conform runs goroutines that acquire in a loop, for two seconds or five tokens.
func conform(acquire func(context.Context) bool, perSecond, goroutines int) conformance {
	whole := max(2*time.Second, 5*time.Second/time.Duration(perSecond))
	length := whole + time.Second/time.Duration(2*perSecond) // the last token is not on the edge
	start := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	grants := make([][]time.Duration, goroutines)
	for i := range grants {
		grants[i] = make([]time.Duration, 0, 2*perSecond*int(length/time.Second)/goroutines+16)
	}
	var wg sync.WaitGroup
	for i := range grants {
		wg.Go(func() {
			for acquire(ctx) {
				at := time.Since(start)
				if at > length {
					return
				}
				grants[i] = append(grants[i], at)
			}
		})
	}
	const settled = 100 * time.Millisecond // all goroutines have begun
	time.Sleep(settled)
	cpu, wakes := cpuTime(), wakeUps()
	time.Sleep(length - time.Since(start))
	cpu, wakes = cpuTime()-cpu, wakeUps()-wakes
	cancel()
	wg.Wait()
	all := slices.Concat(grants...)
	slices.Sort(all)
	early, _ := slices.BinarySearch(all, settled)
	return conformance{
		used:   float64(len(all)-1) / (float64(perSecond) * whole.Seconds()),
		excess: excess(all, float64(perSecond)),
		cpu:    float64(cpu) / float64(length-settled),
		wakes:  float64(wakes) / float64(len(all)-early),
	}
}

// wakeUps returns how often goroutines have begun to run: the runtime takes note of
// how long they waited for it once in eight times (gTrackingPeriod).
func wakeUps() uint64 {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	var count uint64
	for _, n := range sample[0].Value.Float64Histogram().Counts {
		count += n
	}
	return 8 * count
}

// excess returns by how much the grants in any window exceed 1 + rate × window.
func excess(at []time.Duration, perSecond float64) float64 {
	most, least := 0.0, math.Inf(1)
	for i, t := range at {
		due := perSecond * t.Seconds()
		least = min(least, float64(i)-due)
		most = max(most, float64(i+1)-due-least-1)
	}
	return most
}
