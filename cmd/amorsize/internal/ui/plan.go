package ui

import (
	"fmt"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/progress"
)

// Plan returns the three lines that explain how a run continues. what is the command, or what else the items are
// for; total is -1 if it is not known.
func (t *Terminal) Plan(what string, total int, p jobs.Plan, rate string) string {
	items := "number of items unknown"
	if total >= 0 {
		items = Plural(total, "item")
	}
	first := "amorsize: " + items
	if p.Cost.Items > 0 {
		first += fmt.Sprintf(" · sampled %s in %s", jobs.Count(p.Cost.Items), jobs.Short(p.Cost.Elapsed))
	}
	first += " · " + what
	second := "  plan: " + Plural(p.Slots, "slot")
	if !p.Fixed && p.Cost.Jobs > 0 {
		second += " to begin with"
	}
	switch {
	case p.Batch > 1:
		second += fmt.Sprintf(", %s items each", jobs.Count(p.Batch))
	default:
		second += ", 1 item each"
	}
	second += ", " + rate
	third := "  why:  " + p.Why()
	if p.Left == 0 && !p.Fixed {
		second, third = "  plan: none: the sample had all items", fmt.Sprintf("  why:  one job takes %s, of which %s CPU", jobs.Short(p.Cost.Wall), jobs.Short(p.Cost.CPU))
		return t.Paint(Bold, first) + "\n" + second + "\n" + third
	}
	if p.Expected > 0 {
		third += fmt.Sprintf(". Expect %s", jobs.Short(p.Expected))
		if !p.Fixed && p.Serial > p.Expected {
			third += fmt.Sprintf(" (one at a time: %s)", jobs.Short(p.Serial))
		}
	}
	return t.Paint(Bold, first) + "\n" + second + "\n" + third
}

// Explain returns a table of what an item costs and what each limit allows.
func (t *Terminal) Explain(p jobs.Plan) string {
	c := p.Cost
	var left, right []string
	add := func(name, value string) { left = append(left, fmt.Sprintf("  %-20s %10s", name, value)) }
	if c.Jobs > 0 {
		left = append(left, fmt.Sprintf("cost of one job (%s, ±%.0f %%)", Plural(c.Jobs, "sample"), 100*c.CV))
		if c.Start > 0 {
			add("start", jobs.Short(c.Start))
			add("each item", jobs.Short(c.Item))
		}
		add("wall", jobs.Short(c.Wall))
		add("user+sys CPU", jobs.Short(c.CPU))
		add("waiting", jobs.Short(max(0, c.Wall-c.CPU)))
		if c.Memory > 0 {
			add("peak memory", jobs.Bytes(c.Memory))
		}
	}
	right = append(right, "limits                 slots")
	for _, l := range p.Limits {
		mark := ""
		if l.Name == p.Binding {
			mark = "  <- binds"
		}
		right = append(right, fmt.Sprintf("  %-12s %13s%s", l.Name, jobs.Count(l.Slots), mark))
	}
	var b strings.Builder
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		fmt.Fprintf(&b, "  %-42s %s\n", l, r)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Plural is [progress.Plural].
func Plural(n int, what string) string { return progress.Plural(n, what) }
