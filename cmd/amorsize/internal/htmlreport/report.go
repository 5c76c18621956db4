// Package htmlreport selects what to draw of a run's summary; package runpage draws it.
package htmlreport

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
	"github.com/amorsize/amorsize/internal/runpage"
	"github.com/amorsize/amorsize/progress"
)

// Table is a measured series of worker counts.
type Table struct {
	Target string
	Rows   []Row
	Knee   int
	USL    *usl.Fit
}

// Row is one rung of it.
type Row struct {
	Workers int
	Rate    float64 // items per second
}

// Report is the content to draw.
type Report struct {
	Title   string
	Command string
	Summary *summary.Summary // nil if there was no run, or it did not end
	Table   *Table           // nil if none was measured
	Failed  []summary.Failure
	Notes   []string // what else is to be known
}

// Write writes the page.
func (r Report) Write(w io.Writer) error {
	p := runpage.Page{Title: r.Title, Command: r.Command, Notes: r.Notes, All: "the log has all"}
	for _, f := range r.Failed {
		p.Failed = append(p.Failed, f.Line())
	}
	if s := r.Summary; s != nil {
		p.When, p.Stopped = when(s), s.Stopped
		p.Plan, p.Why = plan(s.Plan), s.Plan.Why
		p.Facts = facts(*s)
		p.Reasons = shares(s.Reasons)
		p.Charts = runCharts(*s)
	}
	if r.Table != nil {
		p.Charts = append(p.Charts, scaling(*r.Table))
	} else if r.Summary != nil {
		p.Charts = append(p.Charts, observed(*r.Summary)...)
	}
	return p.Write(w)
}

// when says when a run was, and where.
func when(s *summary.Summary) string {
	parts := []string{s.Started.Format("2006-01-02 15:04:05 MST")}
	if s.Host.Name != "" {
		parts = append(parts, s.Host.Name)
	}
	if s.Host.Cores > 0 {
		parts = append(parts, progress.Plural(s.Host.Cores, "core"))
	}
	return strings.Join(parts, " · ")
}

// plan says how a run went on after its sample; nothing of the runs of a program, whose journal has no plan.
func plan(p summary.Plan) string {
	if p.Workers == 0 {
		return ""
	}
	text := progress.Plural(p.Workers, "slot") + ", " + progress.Plural(p.Batch, "item") + " each"
	if p.Binding != "" {
		text += ", bound by " + p.Binding
	}
	return text
}

func short(s float64) string {
	if s == 0 {
		return "0"
	}
	return jobs.Short(time.Duration(s * float64(time.Second)))
}

func plain(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func facts(s summary.Summary) []runpage.Fact {
	var list []runpage.Fact
	add := func(on bool, name, value string) {
		if on {
			list = append(list, runpage.Fact{Name: name, Value: value})
		}
	}
	add(true, "ok", jobs.Count(s.OK))
	add(true, "failed", jobs.Count(s.Failed))
	add(true, "time", short(s.Wall))
	add(true, "items per second", plain(float64(int(s.PerSecond*10))/10))
	add(true, "job p50 / p95 / max", short(s.Job.P50)+" / "+short(s.Job.P95)+" / "+short(s.Job.Max))
	add(s.Plan.Workers > 0, "slots (peak)", fmt.Sprintf("%d (%d)", s.Plan.Workers, s.Peak.Workers))
	add(s.Skipped > 0, "skipped", jobs.Count(s.Skipped))
	add(s.Retried > 0, "retried", jobs.Count(s.Retried))
	add(s.Throttled > 0, "throttled", jobs.Count(s.Throttled))
	add(s.Job.CPU > 0, "CPU", short(s.Job.CPU))
	add(s.Peak.RSS > 0, "memory", "up to "+jobs.Bytes(s.Peak.RSS))
	if s.Rate != nil {
		add(true, "rate at the end", plain(s.Rate.PerSecond)+"/s")
		add(true, "waited for the rate limit", short(s.Rate.Waited))
	}
	add(s.Breaker.Opened > 0, "breaker", fmt.Sprintf("opened %d×, paused %s", s.Breaker.Opened, short(s.Breaker.Paused)))
	add(s.Bound != "", "bound by", s.Bound)
	return list
}

func shares(reasons []summary.Reason) []runpage.Share {
	all := 0
	for _, r := range reasons {
		all += r.Items
	}
	var list []runpage.Share
	for _, r := range reasons {
		list = append(list, runpage.Share{Name: r.Why, Value: jobs.Count(r.Items), Percent: 100 * float64(r.Items) / float64(max(1, all))})
	}
	return list
}

// names are the page's terms.
var names = runpage.Names{Call: "job"}

// runCharts draws the run over time, and how long jobs took.
func runCharts(s summary.Summary) []runpage.Drawing {
	bins := make([]runpage.Bin, len(s.Histogram))
	for i, b := range s.Histogram {
		bins[i] = runpage.Bin(b)
	}
	return append(names.OverTime(moments(s)), names.Histogram(bins)...)
}

func moments(s summary.Summary) []runpage.Moment {
	list := make([]runpage.Moment, len(s.Timeline))
	for i, m := range s.Timeline {
		list[i] = runpage.Moment{At: m.At, Limit: m.Limit, InFlight: m.InFlight, Rate: m.Rate, Latency: m.Latency}
	}
	return list
}

// observed draws the throughput by the number of jobs in flight.
func observed(s summary.Summary) []runpage.Drawing {
	return names.Scaling(moments(s), "amorsize tune measures each number of jobs in turn.")
}

// scaling draws a measured series and the law fitted to it.
func scaling(t Table) runpage.Drawing {
	rows := slices.SortedFunc(slices.Values(t.Rows), func(a, b Row) int { return cmp.Compare(a.Workers, b.Workers) })
	var dots, line []runpage.Point
	for _, r := range rows {
		dots = append(dots, runpage.Point{X: float64(r.Workers), Y: r.Rate})
	}
	text := fmt.Sprintf("What each number of workers achieved. From %d on, more workers don't help.", t.Knee)
	if t.USL != nil && len(rows) > 0 {
		for w := 1; w <= rows[len(rows)-1].Workers; w = max(w+1, w*21/20) {
			line = append(line, runpage.Point{X: float64(w), Y: t.USL.At(w)})
		}
		text += fmt.Sprintf(" The line is the universal scalability law with σ %.3g, κ %.3g (R² %.2f).", t.USL.Sigma, t.USL.Kappa, t.USL.R2)
	}
	c := runpage.Chart{Title: "Scaling", XLabel: "workers", YLabel: "items/s", X: plain, Y: plain, LogX: true, Series: []runpage.Series{
		{Name: "measured", Class: "s3", Kind: "dots", Pts: dots}, {Name: "law", Class: "s1", Kind: "line", Pts: line},
	}}
	return runpage.Draw(c, text, "")
}
