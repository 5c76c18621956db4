package main

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/amorsize/amorsize"
)

// cpuSuite runs half a second of serial work at six granularities.
func cpuSuite(o options) {
	sizes := []time.Duration{2, 20, 200, 2 * time.Microsecond, 20 * time.Microsecond, time.Millisecond}
	columns := []string{"arm"}
	for _, d := range sizes {
		columns = append(columns, d.String())
	}
	arms := []arm{serial, {name: "oracle"}, ours}
	if o.peers {
		arms = append(arms, peers()...)
	}
	cells := make([][]string, len(arms))
	for i, a := range arms {
		cells[i] = []string{a.name}
	}
	predicted := []string{"prediction error"}
	chosen := []string{"oracle's workers × chunk"}
	var errors []float64
	slowest := 0.0
	for _, d := range sizes {
		items := repeat(int(500*time.Millisecond/d), roundsFor(d))
		oracle, label := sweep(items)
		arms[1].run = oracle.run
		chosen = append(chosen, label)
		for i, t := range cpuColumn(o, arms, items) {
			cells[i] = append(cells[i], number(t))
			if arms[i].name == ours.name {
				slowest = max(slowest, t)
			}
		}
		off := predictionError(o, items)
		errors = append(errors, off)
		predicted = append(predicted, fmt.Sprintf("%.0f %%", 100*off))
	}
	t := newTable(o, "CPU work", "Time relative to the oracle, the best hand-written chunked loop of a sweep over workers and chunk sizes.", columns...)
	for _, row := range cells {
		t.row(row...)
	}
	t.row(chosen...)
	t.row(predicted...)
	o.atMost("CPU work, the worst of six: × the oracle", slowest, 1.5)
	fmt.Fprintf(o.out, "\nPrediction: |predicted − measured| / measured, median over the row: %.0f %%\n", 100*median(errors))
}

// cpuColumn returns the time of each arm per item relative to the oracle's.
func cpuColumn(o options, arms []arm, items []item) []float64 {
	var contenders []contender
	counts := make([]int, len(arms))
	for i, a := range arms {
		part := items
		if most := 300_000; a.heavy && len(part) > most {
			part = part[:most]
		}
		counts[i] = len(part)
		contenders = append(contenders, contender{a.name, func() { a.run(spinItem, part) }})
	}
	times := interleave(o.reps, contenders)
	out := make([]float64, len(arms))
	perItem := float64(times[1]) / float64(counts[1])
	for i, t := range times {
		out[i] = float64(t) / float64(counts[i]) / perItem
	}
	return out
}

// sweep returns the best chunked loop for the items.
func sweep(items []item) (arm, string) {
	var contenders []contender
	byName := map[string]arm{}
	for workers := 1; workers <= runtime.GOMAXPROCS(0); workers *= 2 {
		for chunk := 1; chunk <= 1<<16; chunk *= 4 {
			if chunk == 1 && len(items) > 10_000_000 || chunk*workers > len(items) {
				continue
			}
			name := fmt.Sprintf("%d × %d", workers, chunk)
			a := chunked(workers, chunk)
			byName[name] = a
			contenders = append(contenders, contender{name, func() { a.run(spinItem, items) }})
		}
	}
	best := fastest(3, contenders)
	return byName[best.name], best.name
}

// predictionError returns how far the plan's prediction was off, as a share of
// what was measured.
func predictionError(o options, items []item) float64 {
	var off []float64
	for range o.reps {
		var r amorsize.Report
		must(amorsize.Execute(spinItem, items, amorsize.WithReport(&r)))
		off = append(off, math.Abs(float64(r.PredictedDuration)/float64(r.Elapsed)-1))
	}
	return median(off)
}
