package executor

import (
	"fmt"
	"io"

	"github.com/amorsize/amorsize/internal/runpage"
)

// WriteHTML writes the run as one self-contained HTML file, as amorsize report does for runs of
// the command: its numbers, its course over time, how long calls took, and what failed. It
// contains the texts of errors, which may contain items.
func (r *Report) WriteHTML(w io.Writer) error {
	means, change := r.bound()
	p := runpage.Page{
		Title: "amorsize: " + r.headline(), Plan: fmt.Sprintf("%v, %s to begin with, chunks of %d", r.Plan.Mode, plural(r.Plan.Workers, "worker"), r.Plan.ChunkSize), Why: r.Plan.Reason,
		Bound: means, Change: change, Facts: r.facts(), Reasons: r.reasons(),
	}
	if !r.Started.IsZero() {
		p.When = r.Started.Format("2006-01-02 15:04:05 MST")
	}
	if r.Err != nil && r.Succeeded+r.Failed < r.Items {
		p.Stopped = firstLine(r.Err)
	}
	for _, err := range r.failures() {
		p.Failed = append(p.Failed, firstLine(err))
	}
	for _, text := range r.Warnings {
		p.Notes = append(p.Notes, "Warning: "+text)
	}
	names, moments := runpage.Names{Call: "call"}, r.moments()
	p.Charts = append(p.Charts, names.OverTime(moments)...)
	p.Charts = append(p.Charts, names.Histogram(r.bins())...)
	p.Charts = append(p.Charts, names.Scaling(moments, "")...)
	return p.Write(w)
}

// headline says in a few words what was done.
func (r *Report) headline() string {
	return fmt.Sprintf("%d of %s in %s", r.Succeeded, plural(r.Items, "item"), short(r.Elapsed))
}

// facts are the numbers of the page.
func (r *Report) facts() (list []runpage.Fact) {
	add := func(on bool, name, value string) {
		if on {
			list = append(list, runpage.Fact{Name: name, Value: value})
		}
	}
	add(true, "ok", fmt.Sprint(r.Succeeded))
	add(true, "failed", fmt.Sprint(r.Failed))
	add(r.Known > 0, "known before", fmt.Sprint(r.Known))
	add(true, "time", runpage.Short(r.Elapsed.Seconds()))
	add(true, "items per second", runpage.Plain(r.Goodput()))
	add(true, "workers (peak)", fmt.Sprintf("%.3g (%d)", r.MeanWorkers, r.PeakWorkers))
	l := r.Latency
	add(l.Max > 0, "call p50 / p99 / max", runpage.Short(l.P50.Seconds())+" / "+runpage.Short(l.P99.Seconds())+" / "+runpage.Short(l.Max.Seconds()))
	add(r.Calls.Retried > 0, "retried", fmt.Sprint(r.Calls.Retried))
	for _, w := range r.Calls.Waits {
		add(true, "waited for the "+named(w.Kind, w.Name), runpage.Short(w.Total.Seconds()))
	}
	return list
}

func (r *Report) moments() (list []runpage.Moment) {
	for _, m := range r.Timeline {
		list = append(list, runpage.Moment{At: m.At.Seconds(), Limit: m.Limit, InFlight: m.InFlight, Rate: m.Rate, Latency: m.Latency.Seconds()})
	}
	return list
}
