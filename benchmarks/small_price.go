package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize"
)

var oursContext = arm{name: "**amorsize**, with a context", run: func(fn work, items []item) []result {
	call := func(_ context.Context, i item) (result, error) { return fn(i) }
	return must(amorsize.ExecuteContext(context.Background(), call, items))
}}

// state is what a process was doing before a run.
type state struct {
	name    string
	unit    float64 // of prices, in ns
	calls   int     // that follow each other
	reps    int     // for each of the command's
	prepare func()
}

func states() []state {
	other := make([]uint64, 16<<20/8) // more than the caches that are a core's own
	return []state{
		{"hot, ns", 1, 200, 40, func() {}},
		{"after other work on 16 MB, µs", 1000, 1, 20, func() {
			for i := range other {
				other[i] += uint64(i)
			}
		}},
		{"after a pause of 2 ms, µs", 1000, 1, 20, func() { time.Sleep(2 * time.Millisecond) }},
		{"after a garbage collection, µs", 1000, 1, 20, runtime.GC},
	}
}

// smallPrices compares what runs of ten cheap items cost beyond the loop.
func smallPrices(o options) {
	arms := []arm{serial, ours, oursContext, lateJoin(16)}
	if o.peers {
		arms = append(arms, peers()...)
	}
	for _, d := range []time.Duration{20, 50} {
		items := repeat(10, roundsFor(d))
		columns, cells := []string{"arm"}, make([][]string, len(arms))
		for _, s := range states() {
			columns = append(columns, s.name)
			for i, price := range s.prices(o, arms, items) {
				cells[i] = append(cells[i], price.String())
				if d == 20 && i == 1 {
					o.claimPrice(s.name, price.mid)
				}
			}
		}
		t := newTable(o, fmt.Sprintf("10 × %v: the price of a run", d), "More than the loop: median, and nine of ten are above and below.", columns...)
		for i, a := range arms[1:] {
			t.row(append([]string{a.name}, cells[i+1]...)...)
		}
	}
}

// claimPrice holds the price of 10 × 20 ns against the documentation.
func (o options) claimPrice(after string, price float64) {
	bounds := []float64{1500, 150, 40, 80}
	at := slices.IndexFunc(states(), func(s state) bool { return s.name == after })
	o.atMost("more than the loop, 10 × 20ns, "+after, price, bounds[at])
}

// prices returns by how much a run of each arm exceeds one of the first.
func (s state) prices(o options, arms []arm, items []item) []spread {
	var contenders []contender
	for _, a := range arms {
		contenders = append(contenders, contender{a.name, func() {
			for range s.calls {
				a.run(spinItem, items)
			}
		}})
	}
	var out []spread
	times := sample(s.reps*o.reps, s.prepare, contenders)
	for _, t := range times {
		out = append(out, spreadOf(t, times[0], func(a, b float64) float64 { return (a - b) / float64(s.calls) / s.unit }))
	}
	return out
}

// smallExtras compares engines that have learned, and runs that are watched, with
// plain runs.
func smallExtras(o options) {
	ctx := context.Background()
	call := func(_ context.Context, i item) (result, error) { return spinItem(i) }
	fresh, learned := must(amorsize.New(call)), must(amorsize.New(call))
	must(learned.Run(ctx, repeat(20_000, roundsFor(time.Microsecond))))
	execute := func(opts ...amorsize.Option) func(work, []item) []result {
		return func(_ work, items []item) []result { return must(amorsize.ExecuteContext(ctx, call, items, opts...)) }
	}
	var report amorsize.Report
	for _, group := range []struct {
		title string
		items int
		arms  []arm
	}{
		{"5 × 20ns: an engine that has learned", 5, []arm{serial,
			{name: "ExecuteContext", run: execute()},
			{name: "Engine.Run, small runs before", run: func(_ work, items []item) []result { return must(fresh.Run(ctx, items)) }},
			{name: "Engine.Run, a long run before", run: func(_ work, items []item) []result { return must(learned.Run(ctx, items)) }},
		}},
		{"10 × 20ns: a run that is watched", 10, []arm{serial,
			{name: "not watched", run: execute()},
			{name: "WithReport", run: execute(amorsize.WithReport(&report))},
			{name: "WithProgress", run: execute(amorsize.WithProgress(func(amorsize.Progress) {}))},
			{name: "WithObserver", run: execute(amorsize.WithObserver(nothing{}))},
			{name: "WithLogger", run: execute(amorsize.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))},
		}},
	} {
		items := repeat(group.items, roundsFor(20))
		all := states()
		t := newTable(o, group.title, "More than the loop, and allocations beyond the results.", "arm", all[0].name, all[2].name, "allocations")
		hot, paused := all[0].prices(o, group.arms, items), all[2].prices(o, group.arms, items)
		for i, a := range group.arms[1:] {
			objects := allocations(func() { a.run(spinItem, items) }) - 1
			t.row(a.name, hot[i+1].String(), paused[i+1].String(), number(objects))
		}
		dearest := 0.0
		for _, price := range hot[2:] {
			dearest = max(dearest, price.mid-hot[1].mid)
		}
		o.claimExtras(group.items, dearest)
	}
}

// claimExtras holds the dearest of engines or watchers, in ns beyond a plain run,
// against the documentation.
func (o options) claimExtras(items int, dearest float64) {
	if items == 5 {
		o.atMost("ns more than Execute, 5 × 20ns, an engine", dearest, 5000)
	} else {
		o.atMost("µs more than Execute, 10 × 20ns, watched", dearest/1000, 40)
	}
}

// nothing is an observer that does nothing.
type nothing struct{}

func (nothing) Observe(amorsize.Event) {}
