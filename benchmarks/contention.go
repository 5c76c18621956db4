package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

// contentionSuite runs functions that do not get faster by company.
func contentionSuite(o options) {
	t := newTable(o, "Contention", "Time relative to the better of the serial loop and the best hand-picked number of workers.",
		"function", "serial loop", "GOMAXPROCS workers", "best hand-picked", "**amorsize**")
	worst := 0.0
	for _, c := range contentions() {
		procs := runtime.GOMAXPROCS(0)
		var picked []contender
		for _, workers := range []int{1, 2, procs, 2 * procs} {
			a := chunked(workers, c.chunk)
			picked = append(picked, contender{fmt.Sprint(workers), func() { a.run(c.fn, c.items) }})
		}
		best := fastest(3, picked)
		all := chunked(procs, c.chunk)
		times := interleave(o.reps, []contender{
			{"serial", func() { serial.run(c.fn, c.items) }},
			{"procs", func() { all.run(c.fn, c.items) }},
			best,
			{"ours", func() { ours.run(c.fn, c.items) }},
		})
		least := min(times[0], times[2])
		t.row(c.name, ratio(times[0], least), ratio(times[1], least),
			ratio(times[2], least)+" ("+best.name+")", ratio(times[3], least))
		worst = max(worst, float64(times[3])/float64(least))
	}
	o.atMost("contention, the worst: × the better of the loop and the best by hand", worst, 1.5)
}

type contended struct {
	name  string
	fn    work
	items []item
	chunk int
}

func contentions() []contended {
	// 256 MiB are far more than any cache here; a stride of a large prime meets
	// a new page each time.
	field := make([]uint32, 64<<20)
	for i := range field {
		field[i] = uint32(i)
	}
	return []contended{
		locked(200 * time.Nanosecond),
		locked(2 * time.Microsecond),
		locked(20 * time.Microsecond),
		{name: "memory-bound: 64 random reads", fn: randomReads(field), items: sequence(200_000), chunk: 256},
		{name: "memory-bound: sum of 1 MiB", fn: sums(field), items: sequence(4000), chunk: 4},
		{name: "allocating: 16 × 4 KiB kept for a while", fn: allocating, items: sequence(60_000), chunk: 64},
	}
}

func locked(d time.Duration) contended {
	var mu sync.Mutex
	return contended{
		name: fmt.Sprintf("a shared lock held for all of %v", d),
		fn: func(n item) (result, error) {
			mu.Lock()
			defer mu.Unlock()
			return spin(n), nil
		},
		items: repeat(int(500*time.Millisecond/d), roundsFor(d)), chunk: 64,
	}
}

func randomReads(field []uint32) work {
	return func(n item) (result, error) {
		at, sum := uint32(n)*2654435761, uint32(0)
		for range 64 {
			sum += field[at%uint32(len(field))]
			at = at*1664525 + 1013904223
		}
		return result(sum), nil
	}
}

func sums(field []uint32) work {
	return func(n item) (result, error) {
		const words = 1 << 18
		at := int(n) * words % len(field)
		var sum uint32
		for _, v := range field[at : at+words] {
			sum += v
		}
		return result(sum), nil
	}
}

func allocating(n item) (result, error) {
	var keep [16][]byte
	for i := range keep {
		keep[i] = make([]byte, 4096)
		keep[i][n%4096] = byte(n)
	}
	return result(keep[n%16][0]), nil
}

// sequence returns 0, 1, 2, …, n-1.
func sequence(n int) []item {
	items := make([]item, n)
	for i := range items {
		items[i] = item(i)
	}
	return items
}
