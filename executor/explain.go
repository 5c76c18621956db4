package executor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// String summarizes the run in at most ten lines: what was done, what bound it and what would
// change that, what went wrong. It has a value receiver, so that fmt.Print(report) prints it,
// too. See [Report.Explain] for the details.
func (r Report) String() string {
	if r.Bound == "" && r.Items == 0 && r.Err == nil {
		return "no run yet\n"
	}
	var b strings.Builder
	r.writeCounts(&b)
	b.WriteByte('\n')
	means, change := r.bound()
	fmt.Fprintf(&b, "  bound by  %s: %s\n  faster    with %s\n", r.Bound, lower(means), lower(change))
	r.writeCalls(&b)
	r.writePrediction(&b)
	r.writeFailures(&b)
	r.writeWaits(&b)
	switch n := len(r.Warnings); {
	case n > 1:
		fmt.Fprintf(&b, "  warning   %s (and %d more)\n", firstOf(r.Warnings[0]), n-1)
	case n == 1:
		fmt.Fprintf(&b, "  warning   %s\n", firstOf(r.Warnings[0]))
	}
	if r.Err != nil {
		text := []rune(firstLine(r.Err))
		if len(text) > mostError {
			text = append(text[:mostError], '…')
		}
		fmt.Fprintf(&b, "  error     %s\n", string(text))
	}
	return b.String()
}

// bound says what bound the run, and what would change that.
func (r *Report) bound() (means, change string) {
	given := r.Bound == BoundByItems && r.Plan.Constraints.Items > 0 // and did not arrive, as those of a stream do
	switch {
	case given && r.Succeeded+r.Failed < r.Items:
		return "The run ended early.", "Items that do not end the run."
	case given && r.PeakWorkers == 1:
		return "There was not enough work for a second worker to help.", "Calls that take less time."
	case given:
		return "There were too few items for more calls in flight.", "Calls that take less time."
	}
	if means, change = r.pauses(); means != "" {
		return means, change
	}
	p := Progress{Now: Moment{Bound: r.Bound}, Calls: &Calls{Waits: r.Calls.Waits}}
	return p.Explain()
}

// writeCalls writes how many calls ran at a time, and how long they took.
func (r *Report) writeCalls(b *strings.Builder) {
	fmt.Fprintf(b, "  calls     %.3g in flight", r.Speedup)
	if waiting := r.waiting(); waiting > 0 {
		fmt.Fprintf(b, " and %.3g waiting for policies", waiting)
	}
	fmt.Fprintf(b, " on average; up to %s", plural(r.PeakWorkers, "worker"))
	if l := r.Latency; l.Max > 0 {
		fmt.Fprintf(b, "; median %s, 99 %% within %s", short(l.P50), short(l.P99))
	} else if each, ran := r.perItem(); ran && each > 0 {
		fmt.Fprintf(b, "; %s each", short(each))
	}
	b.WriteByte('\n')
}

// perItem returns how long the calls took for an item on average; ran says whether any was run.
func (r *Report) perItem() (took time.Duration, ran bool) {
	n := r.Succeeded + r.Failed - r.Known
	return r.Busy / time.Duration(max(1, n)), n > 0
}

// waiting returns how many calls policies made wait on average.
func (r *Report) waiting() float64 {
	var total time.Duration
	for _, w := range r.Calls.Waits {
		total += w.Total
	}
	return float64(total) / float64(max(1, r.Elapsed))
}

// writeFailures writes why calls failed, if any did.
func (r *Report) writeFailures(b *strings.Builder) {
	var parts []string
	f := r.Calls.Failed
	for _, of := range []struct {
		n    int64
		what string
	}{
		{f.Overloaded, "refused by the service"}, {f.TimedOut, "timed out"}, {f.Refused, "refused by a policy within the function"},
		{f.Panicked, "panicked"}, {f.Other, "with other errors"}, {r.Calls.NotMade, "never made, since a policy refused"},
	} {
		if of.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of.n, of.what))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "  failed    calls: %s; %d retried\n", strings.Join(parts, ", "), r.Calls.Retried)
	}
}

// writeWaits writes which policies made calls wait, the longest first.
func (r *Report) writeWaits(b *strings.Builder) {
	waits := slices.SortedFunc(slices.Values(r.Calls.Waits), func(a, b Wait) int { return cmp.Compare(b.Total, a.Total) })
	var parts []string
	for _, w := range waits[:min(3, len(waits))] {
		parts = append(parts, fmt.Sprintf("%s for the %s", short(w.Total), named(w.Kind, w.Name)))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "  waited    %s, summed over all calls\n", strings.Join(parts, ", "))
	}
}

// writeCounts writes how many items succeeded and failed.
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
		fmt.Fprintf(b, " (%s items/s)", perSecond(r.Goodput()))
	}
}

// writePrediction compares the predicted time with the actual one, if there was a prediction.
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
	took, ran := r.perItem()
	if !ran {
		took = foreseen
	}
	switch ended := r.Succeeded + r.Failed; {
	case ended < r.Items:
		return fmt.Sprintf("the run ended after %d of %s", ended, plural(r.Items, "item"))
	case longer && r.Bound == BoundByPolicies && r.Plan.Constraints.Rate > 0 && r.Goodput() > 0.8*r.Plan.Constraints.Rate:
		return fmt.Sprintf("limited to %.4g/s by a policy", r.Plan.Constraints.Rate)
	case longer && r.Bound == BoundByPolicies:
		return fmt.Sprintf("policies limited it to %.4g/s", r.Goodput())
	case longer && r.Bound == BoundByService:
		return fmt.Sprintf("the service allowed only %d at once", r.usual())
	case longer && r.Bound == BoundByMemory:
		return fmt.Sprintf("memory allowed only %d at once", r.usual())
	case foreseen > 0 && (took > foreseen*3/2 || took < foreseen*2/3):
		return fmt.Sprintf("a call took %s on average, not %s", short(took), short(foreseen))
	case longer && r.MeanWorkers < 0.7*float64(r.Plan.Workers):
		return fmt.Sprintf("only %.3g workers ran on average", r.MeanWorkers)
	case longer && r.Bound == BoundByCores:
		return "the cores were busy with other work too"
	case longer:
		return "the throughput rose more slowly than the plan assumed"
	}
	return "the throughput rose faster than the plan assumed"
}

// Explain has everything that String has, and the plan, each change of the number of workers, all
// warnings, and for I/O-bound calls the run over time.
func (r *Report) Explain() string {
	var b strings.Builder
	b.WriteString(r.String())
	fmt.Fprintf(&b, "  plan      %s\n", r.Plan)
	fmt.Fprintf(&b, "  time      calls %s in all, in %s", short(r.Busy), plural(r.Chunks, "chunk"))
	if r.CPUTime > 0 && r.Elapsed > 0 {
		fmt.Fprintf(&b, "; %.3g cores used", float64(r.CPUTime)/float64(r.Elapsed))
	}
	b.WriteByte('\n')
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
	for _, w := range r.Warnings[min(1, len(r.Warnings)):] {
		fmt.Fprintf(&b, "  warning   %s\n", w)
	}
	r.writeTimeline(&b)
	return b.String()
}

// writeTimeline writes a run of I/O-bound calls over time.
func (r *Report) writeTimeline(b *strings.Builder) {
	const rows = 16
	if len(r.Timeline) == 0 {
		return
	}
	b.WriteString("  over time\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tat\tlimit\tin flight\twaiting for policies\tcalls/s\tlatency\tunloaded\tbound by\t\n")
	step := max(1, (len(r.Timeline)+rows-1)/rows)
	for i := range slices.Chunk(r.Timeline, step) {
		m := i[len(i)-1]
		fmt.Fprintf(table, "\t%s\t%d\t%d\t%d\t%.4g\t%s\t%s\t%s\t\n", short(m.At), m.Limit, m.InFlight, m.Held,
			m.Rate, short(m.Latency), short(m.Base), m.Bound)
	}
	_ = table.Flush() // a strings.Builder takes all
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

// perSecond writes a rate with three digits, and without an exponent.
func perSecond(rate float64) string {
	if rate <= 0 {
		return "0"
	}
	digits := math.Pow10(2 - int(math.Floor(math.Log10(rate))))
	plain := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	if rate = math.Round(rate*digits) / digits; rate < 1e6 {
		return plain(rate)
	}
	return plain(math.Round(rate/1e4)/100) + " million"
}

func firstLine(err error) string { return firstOf(err.Error()) }

// mostError is how much of an error's text is shown, in characters.
const mostError = 200

// lower returns a sentence in the form that follows a colon.
func lower(sentence string) string {
	return strings.ToLower(sentence[:min(1, len(sentence))]) + strings.TrimSuffix(sentence[min(1, len(sentence)):], ".")
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// plural returns a number with its noun, in singular or plural.
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
