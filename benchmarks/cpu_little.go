package main

import (
	"fmt"
	"time"
)

// littleSuite runs so little that a helper that wakes late is missed: 0.2 to 20 ms.
// The hand-written loop begins at once, in the caller, and has a helper started that
// joins when it wakes; its chunks are of some 5 µs.
func littleSuite(o options) {
	arms := []arm{{name: "late join, hand-written"}, serial, ours}
	if o.peers {
		arms = append(arms, peers()[:2]...) // errgroup and conc: the others cost more than the work
	}
	columns := []string{"work", "late join, ms"}
	for _, a := range arms[1:] {
		columns = append(columns, a.name)
	}
	t := newTable(o, "Little CPU work", "Time relative to a hand-written loop that the caller begins alone and that a helper joins when it wakes: median, and nine of ten are above and below.", columns...)
	works := []time.Duration{200, 500, 1000, 2000, 5000, 20_000}
	var ofLoop, ofLateJoin []float64
	for _, d := range []time.Duration{20, 200, time.Microsecond, 10 * time.Microsecond} {
		arms[0].run = lateJoin(max(1, int(5*time.Microsecond/d))).run
		for _, work := range works {
			work *= time.Microsecond
			base, ratios := littleRow(o, arms, repeat(int(work/d), roundsFor(d)))
			row := []string{fmt.Sprintf("%v of %v", work, d), fmt.Sprintf("%.2f", base/1e6)}
			for _, r := range ratios {
				row = append(row, r.String())
			}
			t.row(row...)
			ofLoop = append(ofLoop, ratios[1].mid/ratios[0].mid)
			if work >= time.Millisecond {
				ofLateJoin = append(ofLateJoin, ratios[1].mid)
			}
		}
	}
	o.atMost("0.2 to 20 ms of work, median of the rows: × the plain loop", median(ofLoop), 1.3)
	o.atMost("1 to 20 ms of work, median of the rows: × the late join", median(ofLateJoin), 1.3)
}

// littleRow returns the median time of the first arm in ns and those of the others
// relative to it, repetition by repetition.
func littleRow(o options, arms []arm, items []item) (base float64, ratios []spread) {
	var contenders []contender
	for _, a := range arms {
		contenders = append(contenders, contender{a.name, func() { a.run(spinItem, items) }})
	}
	times := sample(10*o.reps, func() {}, contenders)
	for _, t := range times[1:] {
		ratios = append(ratios, spreadOf(t, times[0], func(a, b float64) float64 { return a / b }))
	}
	return median(times[0]), ratios
}
