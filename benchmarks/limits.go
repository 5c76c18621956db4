package main

import (
	"context"
	"fmt"
	"math"
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
	t := newTable("Limits", "Burst 1, goroutines that do nothing but acquire. Used: grants / (rate × time). Excess: the most grants in any window beyond 1 + rate × window. "+
		"CPU: cores used meanwhile. Sleeps: how often a thread went to sleep, per grant.",
		"per second", "goroutines", "limiter", "used", "excess", "CPU", "sleeps")
	for _, perSecond := range []int{1, 100, 1000, 10_000, 100_000, 1_000_000} {
		for _, goroutines := range []int{1, 64, 1024} {
			for _, arm := range limiterArms(o.peers) {
				if arm.noCancel && goroutines > 5*perSecond {
					continue // it would wait for minutes
				}
				m := conform(arm.make(perSecond), perSecond, goroutines)
				t.row(fmt.Sprint(perSecond), fmt.Sprint(goroutines), arm.name,
					fmt.Sprintf("%.3f", m.used), fmt.Sprintf("%.1f", m.excess), fmt.Sprintf("%.3f", m.cpu), fmt.Sprintf("%.2f", m.sleeps))
			}
		}
	}
}

type conformance struct{ used, excess, cpu, sleeps float64 }

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
	cpu, sleeps := usage()
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
	time.Sleep(length - time.Since(start))
	cpuEnd, sleepsEnd := usage()
	cancel()
	wg.Wait()
	all := slices.Concat(grants...)
	slices.Sort(all)
	return conformance{
		used:   float64(len(all)-1) / (float64(perSecond) * whole.Seconds()),
		excess: excess(all, float64(perSecond)),
		cpu:    float64(cpuEnd-cpu) / float64(length),
		sleeps: float64(sleepsEnd-sleeps) / float64(len(all)),
	}
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
