package executor

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// String tells on a few lines what a person wants to read at the end of a run. It is a method of
// the value, so that fmt.Print(report) prints that, too.
func (r Report) String() string {
	var b strings.Builder
	r.writeCounts(&b)
	fmt.Fprintf(&b, "\n  plan      %s\n", r.Plan)
	r.writePrediction(&b)
	fmt.Fprintf(&b, "  workers   %.3g on average, %d at the most, %s\n", r.MeanWorkers, r.PeakWorkers, plural(r.Chunks, "chunk"))
	fmt.Fprintf(&b, "  time      calls %s in all, %.3g running on average", short(r.Busy), r.Speedup)
	if r.CPUTime > 0 && r.Elapsed > 0 {
		cores := float64(r.CPUTime) / float64(r.Elapsed)
		fmt.Fprintf(&b, "; %.3g cores used", cores)
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "  bound by  %s\n", r.Bound)
	if l := r.Latency; l.Max > 0 {
		fmt.Fprintf(&b, "  latency   %s unloaded; median %s, 90 %% within %s, 99 %% within %s, longest %s\n",
			short(l.Base), short(l.P50), short(l.P90), short(l.P99), short(l.Max))
	}
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "  at %-7s %s: %s\n", short(c.At), plural(c.Workers, "worker"), c.Reason)
	}
	if r.Dropped > 0 {
		fmt.Fprintf(&b, "  dropped   %s: the listeners were too slow for them\n", plural(r.Dropped, "event"))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "  warning   %s\n", w)
	}
	if r.Err != nil {
		fmt.Fprintf(&b, "  error     %v\n", firstLine(r.Err))
	}
	return b.String()
}

// writeCounts writes what became of the items.
func (r *Report) writeCounts(b *strings.Builder) {
	fmt.Fprintf(b, "%d of %s in %s", r.Succeeded, plural(r.Items, "item"), short(r.Elapsed))
	if r.Failed > 0 {
		fmt.Fprintf(b, ", %d failed", r.Failed)
	}
	if r.Known > 0 {
		fmt.Fprintf(b, ", %d known before", r.Known)
	}
	if left := r.Items - r.Succeeded - r.Failed; left > 0 {
		fmt.Fprintf(b, ", %d not run", left)
	}
	if r.Elapsed > 0 {
		fmt.Fprintf(b, " (%.3g items/s)", r.Goodput())
	}
}

// writePrediction compares what was predicted with what came, if anything was.
func (r *Report) writePrediction(b *strings.Builder) {
	if r.PredictedDuration <= 0 || r.Elapsed <= 0 {
		return
	}
	kind := "predicted"
	if r.Plan.AtBest {
		kind = "at best  "
	}
	ratio := float64(r.Elapsed) / float64(r.PredictedDuration)
	fmt.Fprintf(b, "  %s %s, measured %s (%+.0f %%)", kind, short(r.PredictedDuration), short(r.Elapsed), 100*(ratio-1))
	if ratio > 2 || ratio < 0.5 {
		fmt.Fprintf(b, "; %s", r.why(ratio > 2))
	}
	b.WriteByte('\n')
}

// why says why the run took much longer than predicted, or much less.
//
//nolint:cyclop // one line for each reason, the first that holds: the order is what matters
func (r *Report) why(longer bool) string {
	foreseen := r.Plan.Sample.ItemTime()
	took := foreseen
	if n := r.Succeeded + r.Failed; n > 0 {
		took = r.Busy / time.Duration(n)
	}
	switch ended := r.Succeeded + r.Failed; {
	case ended < r.Items:
		return fmt.Sprintf("the run ended after %d of %s", ended, plural(r.Items, "item"))
	case longer && r.Bound == BoundByPolicies && r.Plan.Constraints.Rate > 0:
		return fmt.Sprintf("held to %.4g/s by a policy", r.Plan.Constraints.Rate)
	case longer && r.Bound == BoundByPolicies:
		return fmt.Sprintf("policies held it to %.4g/s", r.Goodput())
	case longer && r.Bound == BoundByService:
		return fmt.Sprintf("the service took only %d at once", r.usual())
	case longer && r.Bound == BoundByMemory:
		return fmt.Sprintf("memory allowed only %d at once", r.usual())
	case foreseen > 0 && (took > foreseen*3/2 || took < foreseen*2/3):
		return fmt.Sprintf("a call took %s on average, not %s", short(took), short(foreseen))
	case longer && r.MeanWorkers < 0.7*float64(r.Plan.Workers):
		return fmt.Sprintf("only %.3g workers ran on average", r.MeanWorkers)
	case longer && r.Bound == BoundByCores:
		return "the cores had other work as well"
	case longer:
		return "the throughput rose more slowly than the plan assumed"
	}
	return "the throughput rose faster than the plan assumed"
}

// Explain tells what String tells and, of calls that wait, how the run went
// over time.
func (r *Report) Explain() string {
	const rows = 16
	var b strings.Builder
	b.WriteString(r.String())
	if len(r.Timeline) == 0 {
		return b.String()
	}
	b.WriteString("  over time\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tat\tlimit\tin flight\twaiting for policies\tcalls/s\tlatency\tunloaded\tbound by\t\n")
	step := max(1, (len(r.Timeline)+rows-1)/rows)
	for i := range slices.Chunk(r.Timeline, step) {
		m := i[len(i)-1]
		fmt.Fprintf(table, "\t%s\t%d\t%d\t%d\t%.4g\t%s\t%s\t%s\t\n", short(m.At), m.Limit, m.InFlight, m.Held,
			m.Rate, short(m.Latency), short(m.Base), m.Bound)
	}
	_ = table.Flush() // a strings.Builder takes all
	return b.String()
}

// usual returns how many calls were in flight for most of the time that something
// bound them.
func (r *Report) usual() int {
	var in []int
	for _, m := range r.Timeline {
		if m.Bound == r.Bound {
			in = append(in, m.InFlight)
		}
	}
	if len(in) == 0 {
		return max(1, int(r.MeanWorkers+0.5))
	}
	slices.Sort(in)
	return max(1, in[len(in)/2])
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// plural returns a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// short keeps three significant digits.
func short(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for limit := time.Duration(1000); d >= limit && limit > 0; limit *= 10 {
		unit *= 10
	}
	return d.Round(unit)
}
