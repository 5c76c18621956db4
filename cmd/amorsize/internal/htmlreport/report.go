// Package htmlreport draws a run as one HTML file that needs nothing else: no
// script, no network.
package htmlreport

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

//go:embed report.html.tmpl
var page string

// Table is a measured ladder of worker counts.
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

// Report is what is drawn.
type Report struct {
	Title   string
	Command string
	Summary *summary.Summary // nil if there was no run, or it did not end
	Table   *Table           // nil if none was measured
	Failed  []summary.Failure
	Note    string
}

// view is what the page is filled with.
type view struct {
	Report
	Facts   []fact
	Charts  []drawn
	Reasons []share
}

type fact struct{ Name, Value string }

type drawn struct {
	Title, Text string
	SVG         template.HTML
}

type share struct {
	Why     string
	Items   int
	Percent float64
}

// mostFailures is how many failures the page lists.
const mostFailures = 200

// Write writes the page.
func (r Report) Write(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"count": jobs.Count, "line": summary.Failure.Line}).Parse(page)
	if err != nil {
		return err
	}
	v := view{Report: r}
	if len(v.Failed) > mostFailures {
		v.Note = fmt.Sprintf("The first %d of %d failures; the log has all.", mostFailures, len(v.Failed))
		v.Failed = v.Failed[:mostFailures]
	}
	if s := r.Summary; s != nil {
		v.Facts = facts(*s)
		v.Reasons = shares(s.Reasons)
		v.Charts = runCharts(*s)
	}
	if r.Table != nil {
		v.Charts = append(v.Charts, scaling(*r.Table))
	} else if r.Summary != nil {
		v.Charts = append(v.Charts, observed(*r.Summary)...)
	}
	return t.Execute(w, v)
}

func short(s float64) string {
	if s == 0 {
		return "0"
	}
	return jobs.Short(time.Duration(s * float64(time.Second)))
}

func plain(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func facts(s summary.Summary) []fact {
	list := []fact{
		{"ok", jobs.Count(s.OK)},
		{"failed", jobs.Count(s.Failed)},
		{"time", short(s.Wall)},
		{"items per second", plain(float64(int(s.PerSecond*10)) / 10)},
		{"job p50 / p95 / max", short(s.Job.P50) + " / " + short(s.Job.P95) + " / " + short(s.Job.Max)},
	}
	add := func(on bool, name, value string) {
		if on {
			list = append(list, fact{name, value})
		}
	}
	add(s.Plan.Workers > 0, "slots (peak)", fmt.Sprintf("%d (%d)", s.Plan.Workers, s.Peak.Workers))
	add(s.Skipped > 0, "skipped", jobs.Count(s.Skipped))
	add(s.Retried > 0, "retried", jobs.Count(s.Retried))
	add(s.Throttled > 0, "throttled", jobs.Count(s.Throttled))
	add(s.Job.CPU > 0, "CPU", short(s.Job.CPU))
	add(s.Peak.RSS > 0, "memory", "up to "+jobs.Bytes(s.Peak.RSS))
	if s.Rate != nil {
		list = append(list, fact{"rate at the end", plain(s.Rate.PerSecond) + "/s"}, fact{"waited for the rate", short(s.Rate.Waited)})
	}
	add(s.Breaker.Opened > 0, "breaker", fmt.Sprintf("opened %d×, paused %s", s.Breaker.Opened, short(s.Breaker.Paused)))
	add(s.Bound != "", "bound by", s.Bound)
	return list
}

func shares(reasons []summary.Reason) []share {
	all := 0
	for _, r := range reasons {
		all += r.Items
	}
	var list []share
	for _, r := range reasons {
		list = append(list, share{r.Why, r.Items, 100 * float64(r.Items) / float64(max(1, all))})
	}
	return list
}

// runCharts draws the run over time, and how long jobs took.
func runCharts(s summary.Summary) []drawn {
	var limit, flight, rate, latency []point
	for _, m := range s.Timeline {
		limit = append(limit, point{X: m.At, Y: float64(m.Limit)})
		flight = append(flight, point{X: m.At, Y: float64(m.InFlight)})
		rate = append(rate, point{X: m.At, Y: m.Rate})
		if m.Latency > 0 {
			latency = append(latency, point{X: m.At, Y: m.Latency})
		}
	}
	over := func(title, text, label string, y func(float64) string, list ...series) drawn {
		c := chart{Title: title, XLabel: "time", YLabel: label, X: short, Y: y, Series: list}
		if c.empty() {
			return drawn{Title: title, Text: "The run was too short for a timeline."}
		}
		return drawn{title, text, c.SVG()}
	}
	charts := []drawn{
		over("Limit and in flight", "How many jobs could run at a time, and how many did.", "jobs", plain,
			series{"limit", "s1", "step", limit}, series{"in flight", "s2", "step", flight}),
		over("Goodput", "Items that were over per second.", "items/s", plain, series{"items/s", "s3", "line", rate}),
		over("Latency", "What a job took, without what policies made it wait.", "", short, series{"mean", "s4", "line", latency}),
	}
	var bars []point
	for _, b := range s.Histogram {
		bars = append(bars, point{X: b.From, To: b.To, Y: float64(b.Count)})
	}
	if len(bars) > 0 {
		c := chart{Title: "Latency histogram", XLabel: "time of a job", YLabel: "jobs", X: short, Y: plain, LogX: true, Series: []series{{"jobs", "s1", "bars", bars}}}
		charts = append(charts, drawn{"Latency histogram", "How many jobs took how long.", c.SVG()})
	}
	return charts
}

// observed draws what was achieved with how many jobs in flight.
func observed(s summary.Summary) []drawn {
	var dots []point
	for _, m := range s.Timeline {
		if m.InFlight > 0 && m.Rate > 0 {
			dots = append(dots, point{X: float64(m.InFlight), Y: m.Rate})
		}
	}
	if len(dots) == 0 {
		return nil
	}
	c := chart{Title: "Scaling", XLabel: "jobs in flight", YLabel: "items/s", X: plain, Y: plain, Series: []series{{"items/s", "s3", "dots", dots}}}
	return []drawn{{"Scaling", "What was achieved with how many jobs in flight, moment by moment. amorsize tune measures it in turn.", c.SVG()}}
}

// scaling draws a measured ladder and the law fitted to it.
func scaling(t Table) drawn {
	rows := slices.SortedFunc(slices.Values(t.Rows), func(a, b Row) int { return cmp.Compare(a.Workers, b.Workers) })
	var dots, line []point
	for _, r := range rows {
		dots = append(dots, point{X: float64(r.Workers), Y: r.Rate})
	}
	text := fmt.Sprintf("What each number of workers achieved. From %d on, more don't pay.", t.Knee)
	if t.USL != nil && len(rows) > 0 {
		for w := 1; w <= rows[len(rows)-1].Workers; w = max(w+1, w*21/20) {
			line = append(line, point{X: float64(w), Y: t.USL.At(w)})
		}
		text += fmt.Sprintf(" The line is the universal scalability law with σ %.3g, κ %.3g (R² %.2f).", t.USL.Sigma, t.USL.Kappa, t.USL.R2)
	}
	c := chart{Title: "Scaling", XLabel: "workers", YLabel: "items/s", X: plain, Y: plain, LogX: true,
		Series: []series{{"measured", "s3", "dots", dots}, {"law", "s1", "line", line}}}
	return drawn{"Scaling", text, c.SVG()}
}
