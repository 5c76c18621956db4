package main

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/destel/rill"

	"github.com/amorsize/amorsize"
)

// streamArm passes what comes of items to a loop, as a stream or not.
type streamArm struct {
	name  string
	heavy bool // timed on fewer items
	run   func(fn work, items iter.Seq[item], sink func(result))
}

// streamSuite runs cheap items from an iterator to a loop's body: what is timed is
// the handing over.
func streamSuite(o options) {
	arms := []streamArm{
		{name: "plain loop", run: loopOver},
		{name: "**amorsize**", run: streamed()},
		{name: "**amorsize** unordered", run: streamed(amorsize.WithUnordered())},
		{name: "pipeline by hand, batches of 512", run: pipeline},
	}
	if o.peers {
		arms = append(arms,
			streamArm{name: "rill ordered", heavy: true, run: rillStream(rill.OrderedMap[item, result])},
			streamArm{name: "rill unordered", heavy: true, run: rillStream(rill.Map[item, result])})
	}
	largeStreams(o, arms)
	smallStreams(o, arms)
}

func largeStreams(o options, arms []streamArm) {
	costs := []time.Duration{2, 10, 20, 50, 200, time.Microsecond}
	columns := []string{"arm"}
	for _, d := range costs {
		columns = append(columns, fmt.Sprintf("%v", d))
	}
	t := newTable(o, "Streams", "ns per item, and allocations per item in brackets: items from an iterator, one after the other, results to a loop.", columns...)
	cells := make([][]string, len(arms))
	for _, d := range costs {
		rounds := roundsFor(d)
		n := int(min(2_000_000, 400*time.Millisecond/(d+50)))
		var contenders []contender
		for _, a := range arms {
			contenders = append(contenders, contender{a.name, func() { a.runOnce(a.items(n), rounds) }})
		}
		for i, took := range interleave(o.reps, contenders) {
			of := arms[i].items(n)
			perItem, objects := float64(took)/float64(of), arms[i].allocations(of, rounds)
			cells[i] = append(cells[i], fmt.Sprintf("%s (%.2f)", number(perItem), objects))
			if d == 10 && strings.HasPrefix(arms[i].name, ours.name) {
				o.atMost(arms[i].name+", items of 10 ns: ns an item", perItem, 250)
				o.atMost(arms[i].name+", items of 10 ns: ns of CPU time an item", arms[i].cpu(of, rounds), 150)
				o.atMost(arms[i].name+", items of 10 ns: allocations an item", objects, 0.01)
			}
		}
	}
	for i, a := range arms {
		t.row(append([]string{a.name}, cells[i]...)...)
	}
}

func smallStreams(o options, arms []streamArm) {
	t := newTable(o, "Small streams", "µs for a whole stream of so many items of 50 ns.", "arm", "1", "10", "100", "1000")
	sizes, rounds := []int{1, 10, 100, 1000}, roundsFor(50)
	cells := make([][]string, len(arms))
	for _, n := range sizes {
		const times = 200
		var contenders []contender
		for _, a := range arms {
			contenders = append(contenders, contender{a.name, func() {
				for range times {
					a.runOnce(n, rounds)
				}
			}})
		}
		for i, took := range interleave(o.reps, contenders) {
			micros := float64(took) / 1000 / times
			cells[i] = append(cells[i], number(micros))
			if n == 10 && arms[i].name == ours.name {
				o.atMost("µs for a stream of 10 × 50 ns", micros, 60)
			}
		}
	}
	for i, a := range arms {
		t.row(append([]string{a.name}, cells[i]...)...)
	}
}

// cpu returns how many ns of CPU time an item costs.
func (a streamArm) cpu(n int, rounds item) float64 {
	before := cpuTime()
	a.runOnce(n, rounds)
	return float64(cpuTime()-before) / float64(n)
}

// items returns how many of n items the arm is timed on.
func (a streamArm) items(n int) int {
	if a.heavy {
		return n / 10
	}
	return n
}

func (a streamArm) runOnce(n int, rounds item) {
	sum, got := result(0), 0
	a.run(spinItem, func(yield func(item) bool) {
		for range n {
			if !yield(rounds) {
				return
			}
		}
	}, func(r result) { sum += r; got++ })
	runtime.KeepAlive(sum)
	if got != n {
		panic(fmt.Sprintf("%s: %d results of %d", a.name, got, n))
	}
}

// allocations returns how many objects an item costs.
func (a streamArm) allocations(n int, rounds item) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a.runOnce(n, rounds)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func loopOver(fn work, items iter.Seq[item], sink func(result)) {
	for i := range items {
		sink(must(fn(i)))
	}
}

func streamed(opts ...amorsize.Option) func(work, iter.Seq[item], func(result)) {
	return func(fn work, items iter.Seq[item], sink func(result)) {
		call := func(_ context.Context, i item) (result, error) { return fn(i) }
		for r := range amorsize.Stream(context.Background(), call, items, opts...) {
			sink(must(r.Value, r.Err))
		}
	}
}

// pipeline is what one would write by hand for cheap items: batches from a producer
// to workers and on, in any order, in memory that is used again.
func pipeline(fn work, items iter.Seq[item], sink func(result)) {
	type batch struct {
		items   []item
		results []result
	}
	procs := runtime.GOMAXPROCS(0)
	spare, todo, done := make(chan *batch, 4*procs), make(chan *batch, procs), make(chan *batch, procs)
	for range cap(spare) {
		spare <- new(batch)
	}
	go func() {
		b := <-spare
		for i := range items {
			if b.items = append(b.items, i); len(b.items) == 512 {
				todo <- b
				b = <-spare
			}
		}
		todo <- b
		close(todo)
	}()
	var workers sync.WaitGroup
	for range procs {
		workers.Go(func() {
			for b := range todo {
				for _, i := range b.items {
					b.results = append(b.results, must(fn(i)))
				}
				done <- b
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	for b := range done {
		for _, r := range b.results {
			sink(r)
		}
		b.items, b.results = b.items[:0], b.results[:0]
		spare <- b
	}
}

// rillMap is how rill runs a function over a channel, in order or not.
type rillMap = func(in <-chan rill.Try[item], n int, fn func(item) (result, error)) <-chan rill.Try[result]

func rillStream(mapping rillMap) func(work, iter.Seq[item], func(result)) {
	return func(fn work, items iter.Seq[item], sink func(result)) {
		for r, err := range rill.ToSeq2(mapping(rill.FromSeq(items, nil), runtime.GOMAXPROCS(0), fn)) {
			sink(must(r, err))
		}
	}
}
