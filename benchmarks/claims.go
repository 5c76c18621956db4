package main

import "fmt"

// claims are what the documentation says of figures, each with the bound within
// which it holds on a noisy machine on another day.
type claims struct {
	rows   [][]string // those of the suite that runs: claim, bound, measured
	missed []string   // those of all suites that did not hold
}

// require notes a claim that does not hold. The suites go on; the command fails in
// the end.
func (c *claims) require(holds bool, format string, args ...any) {
	if !holds {
		c.missed = append(c.missed, fmt.Sprintf(format, args...))
	}
}

// atMost claims that a figure is no more than the bound.
func (c *claims) atMost(what string, got, bound float64) {
	c.bound(what, "≤ ", got, bound, got <= bound)
}

// atLeast claims that a figure is no less than the bound.
func (c *claims) atLeast(what string, got, bound float64) {
	c.bound(what, "≥ ", got, bound, got >= bound)
}

func (c *claims) bound(what, sign string, got, bound float64, holds bool) {
	c.rows = append(c.rows, []string{what, sign + number(bound), number(got)})
	c.require(holds, "%s: %s, and %s%s is claimed", what, number(got), sign, number(bound))
}

// print lists the suite's claims beside its figures and begins anew.
func (c *claims) print(o options) {
	if len(c.rows) == 0 {
		return
	}
	t := newTable(o, "Claimed", "The command fails if one of these does not hold.", "figure", "claimed", "measured")
	for _, row := range c.rows {
		t.row(row...)
	}
	c.rows = nil
}
