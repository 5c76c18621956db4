package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
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

// sample times every contender reps times, in turns, each time after prepare, and
// returns the times of each in ns. What the machine does meanwhile hits all alike, and
// the order changes by chance: what one leaves in the caches helps or harms the next.
func sample(reps int, prepare func(), contenders []contender) [][]float64 {
	times := make([][]float64, len(contenders))
	order := rand.New(rand.NewPCG(1, 2))
	for range reps {
		for _, i := range order.Perm(len(contenders)) {
			prepare()
			start := time.Now()
			contenders[i].run()
			times[i] = append(times[i], float64(time.Since(start)))
		}
	}
	return times
}

// interleave returns the median time of each contender, each time after a garbage
// collection.
func interleave(reps int, contenders []contender) []time.Duration {
	out := make([]time.Duration, len(contenders))
	for i, t := range sample(reps, runtime.GC, contenders) {
		out[i] = time.Duration(median(t))
	}
	return out
}

// spread is a figure over repetitions: nine of ten are above low, nine below high.
type spread struct{ low, mid, high float64 }

// spreadOf returns the spread of f(a, b) over repetitions of both side by side.
func spreadOf(a, b []float64, f func(a, b float64) float64) spread {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = f(a[i], b[i])
	}
	slices.Sort(values)
	n := len(values)
	return spread{values[n/10], values[n/2], values[n-1-n/10]}
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s–%s)", number(s.mid), number(s.low), number(s.high))
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
type table struct{ out io.Writer }

func newTable(o options, title, note string, columns ...string) table {
	fmt.Fprintf(o.out, "\n### %s\n\n%s\n\n", title, note)
	t := table{o.out}
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintf(t.out, "| %s |\n", strings.Join(cells, " | ")) }

func ratio(a, b time.Duration) string { return number(float64(a) / float64(b)) }

func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.Abs(x) >= 100:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
