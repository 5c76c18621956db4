package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// contender is one thing to be timed: run does the work once.
type contender struct {
	name string
	run  func()
}

// interleave times every contender reps times, in turns and in rotating order,
// and returns the median of each. What the machine does meanwhile hits all alike.
func interleave(reps int, contenders []contender) []time.Duration {
	times := make([][]time.Duration, len(contenders))
	for r := range reps {
		for k := range contenders {
			i := (r + k) % len(contenders)
			runtime.GC()
			start := time.Now()
			contenders[i].run()
			times[i] = append(times[i], time.Since(start))
		}
	}
	out := make([]time.Duration, len(contenders))
	for i, t := range times {
		out[i] = median(t)
	}
	return out
}

func median[T int | float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// fastest returns the contender with the least median time in reps runs.
func fastest(reps int, contenders []contender) contender {
	best, least := contender{}, time.Duration(math.MaxInt64)
	for i, t := range interleave(reps, contenders) {
		if t < least {
			best, least = contenders[i], t
		}
	}
	return best
}

// table is a markdown table that is printed row by row as figures come in.
type table struct{ columns int }

func newTable(title, note string, columns ...string) table {
	fmt.Printf("\n## %s\n\n%s\n\n", title, note)
	t := table{len(columns)}
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t table) row(cells ...string) { fmt.Printf("| %s |\n", strings.Join(cells, " | ")) }

func ratio(a, b time.Duration) string { return number(float64(a) / float64(b)) }

func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
