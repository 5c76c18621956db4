package optimizer

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// String describes the plan in one line.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", p.Mode)
	switch {
	case p.Mode == Serial:
		b.WriteString("1 worker")
	case p.Workers == 1 && p.MaxWorkers > 1:
		fmt.Fprintf(&b, "1 worker, up to %d,", p.MaxWorkers)
	case p.Workers == 1:
		b.WriteString("1 worker")
	case p.MaxWorkers > p.Workers:
		fmt.Fprintf(&b, "%d workers, up to %d,", p.Workers, p.MaxWorkers)
	default:
		fmt.Fprintf(&b, "%d workers", p.Workers)
	}
	fmt.Fprintf(&b, " × chunks of %d; ", p.ChunkSize)
	if item := p.Sample.ItemTime(); item > 0 {
		fmt.Fprintf(&b, "%s, %s a call; ", p.Workload, round(item))
	}
	if p.PredictedDuration > 0 {
		fmt.Fprintf(&b, "%s %s", p.foreseen(), round(p.PredictedDuration))
		if p.PredictedSpeedup > 0 {
			fmt.Fprintf(&b, ", %.3g× the loop", p.PredictedSpeedup)
		}
		b.WriteString("; ")
	}
	b.WriteString(p.Reason)
	return b.String()
}

// foreseen says what kind of prediction the plan has.
func (p Plan) foreseen() string {
	if p.AtBest {
		return "at best"
	}
	return "predicted"
}

// Explain says, on several lines, what was measured, what each candidate would cost,
// which constraint was binding, and what would change the decision.
func (p Plan) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Plan      %s\n", p)
	p.explainMeasured(&b)
	p.explainHost(&b)
	p.explainCandidates(&b)
	p.explainLimits(&b)
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "Warning   %s\n", w)
	}
	if other := p.otherwise(); len(other) > 0 {
		fmt.Fprintf(&b, "Otherwise %s\n", strings.Join(other, "\n          "))
	}
	return b.String()
}

func (p Plan) explainMeasured(b *strings.Builder) {
	s := p.Sample
	switch of := p.Constraints.Items; {
	case s.Items > 0 && of > 0:
		fmt.Fprintf(b, "Measured  %d of %s in %s: %s a call, variation %.0f %%",
			s.Items, items(of), round(s.Elapsed), round(s.ItemTime()), 100*s.CV)
	case s.Items > 0: // for a stream
		fmt.Fprintf(b, "Measured  %s in %s: %s a call, variation %.0f %%",
			items(s.Items), round(s.Elapsed), round(s.ItemTime()), 100*s.CV)
	default:
		fmt.Fprintf(b, "Measured  while running: %s a call", round(s.ItemTime()))
	}
	if s.CPUKnown {
		fmt.Fprintf(b, ", %.0f %% of it CPU time", 100*s.CPUShare)
	} else {
		b.WriteString(", CPU share unknown")
	}
	if s.AllocKnown {
		fmt.Fprintf(b, ", %s allocated", bytes(s.AllocBytes))
	}
	if s.Cold() {
		fmt.Fprintf(b, "; the first call was cold (%s) and is not counted", round(s.First))
	}
	b.WriteByte('\n')
}

func (p Plan) explainHost(b *strings.Builder) {
	h := p.Host
	fmt.Fprintf(b, "Host      GOMAXPROCS %d, %d logical cores", h.Procs, h.LogicalCores)
	if h.PhysicalCores > 0 {
		fmt.Fprintf(b, ", %d physical", h.PhysicalCores)
	}
	if h.CPUQuota > 0 {
		fmt.Fprintf(b, ", quota %.2g cores", h.CPUQuota)
	}
	if available := h.Available(); available > 0 {
		fmt.Fprintf(b, ", %s available", bytes(float64(available)))
	}
	if h.GoMemoryLimit > 0 {
		fmt.Fprintf(b, ", GOMEMLIMIT %s, %s of it in use", bytes(float64(h.GoMemoryLimit)), bytes(float64(h.GoMemoryUsed)))
	}
	if h.Load >= 0 {
		fmt.Fprintf(b, ", load %.2g", h.Load)
	}
	b.WriteByte('\n')
}

func (p Plan) explainCandidates(b *strings.Builder) {
	if len(p.Candidates) == 0 || p.PredictedDuration == 0 {
		return
	}
	fmt.Fprintf(b, "Workers   %s for the items left:\n", p.foreseen())
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	last := len(p.Candidates) - 1
	shown := math.Inf(1)
	for i, c := range p.Candidates {
		// Candidates with the same prediction as the one before are left out.
		if c.Workers != p.Workers && i != last && math.Abs(c.Duration.Seconds()/shown-1) < 0.02 {
			continue
		}
		shown = c.Duration.Seconds()
		mark := ""
		if c.Workers == p.Workers {
			mark = "chosen to start with"
		}
		fmt.Fprintf(table, "\t%d\t%s\t%.2f×\t %s\n", c.Workers, round(c.Duration), c.Speedup, mark)
	}
	_ = table.Flush() // a strings.Builder takes all
}

func (p Plan) explainLimits(b *strings.Builder) {
	if len(p.Limits) == 0 {
		return
	}
	var parts []string
	for _, l := range p.Limits {
		part := fmt.Sprintf("%s %s %d", l.Name, l.verb(), l.Workers)
		if l.Binding {
			part += " (binding)"
		}
		parts = append(parts, part)
	}
	fmt.Fprintf(b, "Limits    %s\n", strings.Join(parts, ", "))
}

// otherwise says what would have to change for another decision.
func (p Plan) otherwise() []string {
	var out []string
	if calls := p.otherCalls(); calls != "" {
		out = append(out, calls)
	}
	if changes := loosened(p.Limits); len(changes) > 0 {
		out = append(out, strings.Join(changes, " and ")+" would allow more workers")
	}
	if p.Mode == Parallel && p.Constraints.Workers == 0 {
		out = append(out, "workers that do not raise throughput while running (a shared lock, memory bandwidth) are removed")
	}
	return out
}

// otherCalls says which calls, or how many, would lead to another decision; "" if a limit
// decides.
func (p Plan) otherCalls() string {
	left := p.Constraints.Items - p.Sample.Items
	switch {
	case p.Constraints.Workers > 0, p.Mode == Serial && p.MaxWorkers == 1 && left > 1:
		return ""
	case p.Mode == Serial && left > 0 && p.Sample.ItemNanos > 0:
		need := 2 * float64(joinDelay+2*spawnCost) / p.Sample.ItemNanos
		return fmt.Sprintf("with more than about %d such items, a second worker would help", max(left, int(need))+1)
	case p.Mode == Serial:
		return "with more items, or slower ones, a second worker would help"
	case p.Workload == sampling.CPUBound:
		return "I/O-bound calls (less than 70 % CPU time) would run on more workers than cores"
	default:
		return "CPU-bound calls (at least 70 % CPU time) would run on one worker per core"
	}
}

// loosened says what would allow more workers: a change to each of the limits that bind,
// since each of them alone keeps the number where it is. There is none if one of the
// limits can't be changed.
func loosened(limits []Limit) (changes []string) {
	for _, l := range limits {
		switch {
		case !l.Binding:
		case l.Name == "items" || l.Name == "calls in flight":
			return nil
		case strings.HasPrefix(l.Name, "With") || l.Name == "GOMEMLIMIT":
			changes = append(changes, "a higher value of "+l.Name)
		case l.Name == "load":
			changes = append(changes, "less load on the machine")
		default:
			changes = append(changes, "more "+l.Name)
		}
	}
	return changes
}

// binding returns the names of the limits that bind, and what they do.
func binding(limits []Limit) (names, verb string) {
	var list []string
	for _, l := range limits {
		if l.Binding {
			list, verb = append(list, l.Name), l.verb()
		}
	}
	if len(list) > 1 {
		verb = "allow"
	}
	return strings.Join(list, " and "), verb
}

// verb is the limit's verb, in singular or plural as its name.
func (l Limit) verb() string {
	switch l.Name {
	case "cores", "items", "calls in flight":
		return "allow"
	}
	return "allows"
}

// items returns a number with the noun, in singular or plural.
func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}

// round keeps three significant digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for limit := time.Duration(1000); d >= limit && limit > 0; limit *= 10 {
		unit *= 10
	}
	return d.Round(unit)
}

func bytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.3g GiB", n)
}
