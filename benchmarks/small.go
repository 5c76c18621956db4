package main

import (
	"fmt"
	"time"
)

// smallSuite runs inputs so small that starting anything costs more than it gains.
func smallSuite(o options) {
	smallPrices(o)
	smallExtras(o)
	smallRatios(o)
}

// smallRatios compares runs from one item of 50 ns to 20 ms of work with the loop.
func smallRatios(o options) {
	cases := []struct {
		n int
		d time.Duration
	}{
		{1, 50}, {10, 50}, {100, 50}, {1000, 50},
		{10, time.Microsecond}, {100, time.Microsecond}, {1000, time.Microsecond},
		{5000, time.Microsecond}, {20, 500 * time.Microsecond}, {20, time.Millisecond},
	}
	arms := []arm{serial, ours, lateJoin(16)}
	if o.peers {
		arms = append(arms, peers()...)
	}
	columns := []string{"items"}
	for _, a := range arms {
		columns = append(columns, a.name)
	}
	t := newTable(o, "Small inputs", "Time of one call relative to the serial loop. For amorsize, the difference to the loop in ns a call in brackets.", columns...)
	for _, c := range cases {
		items := repeat(c.n, roundsFor(c.d))
		calls := max(1, int(4*time.Millisecond/(time.Duration(c.n)*c.d+500)))
		var contenders []contender
		for _, a := range arms {
			contenders = append(contenders, contender{a.name, func() {
				for range calls {
					a.run(spinItem, items)
				}
			}})
		}
		times := interleave(10*o.reps, contenders)
		row := []string{fmt.Sprintf("%d × %v", c.n, c.d)}
		for i, d := range times {
			cell := ratio(d, times[0])
			if arms[i].name == ours.name {
				cell += fmt.Sprintf(" (%+d)", int(d-times[0])/calls)
			}
			row = append(row, cell)
		}
		t.row(row...)
	}
}
