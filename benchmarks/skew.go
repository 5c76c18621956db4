package main

import (
	"runtime"
	"slices"
	"time"
)

// skewSuite runs items of very different cost.
func skewSuite(o options) {
	arms := []arm{serial, chunked(runtime.GOMAXPROCS(0), 1), ours}
	arms[1].name = "hand-written, chunk 1"
	if o.peers {
		arms = append(arms, peers()...)
	}
	columns := []string{"costs"}
	for _, a := range arms {
		columns = append(columns, a.name)
	}
	t := newTable(o, "Skew", "Time relative to the bound max(sum of all items / cores, longest item); the sum is what the serial loop takes.", columns...)
	worst := 0.0
	for _, c := range skews() {
		var contenders []contender
		for _, a := range arms {
			contenders = append(contenders, contender{a.name, func() { a.run(spinItem, c.items) }})
		}
		times := interleave(o.reps, contenders)
		var sum int
		for _, rounds := range c.items {
			sum += int(rounds)
		}
		longest := time.Duration(float64(times[0]) * float64(slices.Max(c.items)) / float64(sum))
		bound := max(times[0]/time.Duration(runtime.GOMAXPROCS(0)), longest)
		row := []string{c.name}
		for i, d := range times {
			row = append(row, ratio(d, bound))
			if arms[i].name == ours.name {
				worst = max(worst, float64(d)/float64(times[1]))
			}
		}
		t.row(row...)
	}
	o.atMost("skew, the worst: × the hand-written loop", worst, 1.4)
}

type skew struct {
	name  string
	items []item
}

func skews() []skew {
	unit := roundsFor(20 * time.Microsecond)
	uniform := repeat(10_000, unit)
	edit := func(change func(items []item)) []item {
		items := slices.Clone(uniform)
		change(items)
		return items
	}
	ascending := edit(func(items []item) {
		for i := range items {
			items[i] = item(int(unit) * 2 * i / len(items))
		}
	})
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	giant := item(int(unit) * 4000)
	return []skew{
		{"1 % of items 100 × longer", edit(func(items []item) {
			for i := 37; i < len(items); i += 100 {
				items[i] = 100 * unit
			}
		})},
		{"ascending", ascending},
		{"descending", descending},
		{"cheap head, dear tail", edit(func(items []item) {
			for i := range items {
				items[i] = unit / 10
				if i >= len(items)*9/10 {
					items[i] = 10 * unit
				}
			}
		})},
		{"giant first", edit(func(items []item) { items[0] = giant })},
		{"giant last", edit(func(items []item) { items[len(items)-1] = giant })},
		{"5 × 50 ms ahead of 395 × 1 ms", slices.Concat(
			repeat(5, roundsFor(50*time.Millisecond)), repeat(395, roundsFor(time.Millisecond)))},
	}
}
