package live

import (
	"cmp"
	"time"

	"github.com/amorsize/amorsize"
)

// summary is a run in the list.
type summary struct {
	ID        int     `json:"id"`
	Name      string  `json:"name"`
	State     string  `json:"state"`
	Started   string  `json:"started"` // RFC 3339
	ElapsedS  float64 `json:"elapsed_s"`
	Total     int     `json:"total"` // -1 as long as it is not known
	Completed int     `json:"completed"`
	Failed    int     `json:"failed"`
	Known     int     `json:"known"` // before the run, by a journal
}

// detail is a run that a viewer has opened.
type detail struct {
	summary
	Function   string   `json:"function"`
	Plan       string   `json:"plan"`
	RatePerS   float64  `json:"rate_per_s"`
	RemainingS float64  `json:"remaining_s"`
	Workers    int      `json:"workers"`
	Limit      int      `json:"limit"`
	InFlight   int      `json:"in_flight"`
	Held       int      `json:"held"`
	Bound      string   `json:"bound"`
	Means      string   `json:"means"`
	Change     string   `json:"change"`
	Calls      calls    `json:"calls"`
	Waits      []wait   `json:"waits"`
	Policies   []policy `json:"policies"`
	Changes    []change `json:"changes"`
	Points     []point  `json:"points"`
	Told       []string `json:"told"`
	Warnings   []string `json:"warnings"`
	Error      string   `json:"error,omitempty"`
}

type calls struct {
	OK         int64   `json:"ok"`
	Overloaded int64   `json:"overloaded"`
	TimedOut   int64   `json:"timed_out"`
	Refused    int64   `json:"refused"`
	Panicked   int64   `json:"panicked"`
	Other      int64   `json:"other"`
	NotMade    int64   `json:"not_made"`
	Retried    int64   `json:"retried"`
	P50        float64 `json:"p50_s"`
	P90        float64 `json:"p90_s"`
	P99        float64 `json:"p99_s"`
	Max        float64 `json:"max_s"`
}

type wait struct {
	Kind   string  `json:"kind"`
	Name   string  `json:"name"`
	Calls  int64   `json:"calls"`
	TotalS float64 `json:"total_s"`
}

type policy struct {
	Kind  string  `json:"kind"`
	Name  string  `json:"name"`
	State string  `json:"state"`
	LeftS float64 `json:"left_s"`
}

type change struct {
	AtS    float64 `json:"at_s"`
	Limit  int     `json:"limit"`
	Reason string  `json:"reason"`
}

// summary returns the run as it is in the list.
func (r *run) summary() summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summaryNow()
}

// summaryNow is summary with mu held.
func (r *run) summaryNow() summary {
	known := 0
	if r.over != nil {
		known = r.over.known
	}
	return summary{
		ID: r.id, Name: cmp.Or(r.info.Title(), "run"), State: r.state, Started: r.info.Started.UTC().Format(time.RFC3339Nano),
		ElapsedS: cmp.Or(r.done, r.last.Elapsed).Seconds(), Total: r.last.Total, Completed: r.last.Completed, Failed: r.last.Failed, Known: known,
	}
}

// detail returns everything that is shown of the run.
func (r *run) detail() detail {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.last
	d := detail{
		summary: r.summaryNow(), Function: r.info.Function, Plan: r.plan,
		RatePerS: p.Rate, RemainingS: p.Remaining.Seconds(), Workers: p.Workers,
		Limit: p.Now.Limit, InFlight: p.Now.InFlight, Held: p.Now.Held, Bound: string(p.Now.Bound),
		Calls: viewCalls(p.Calls), Waits: viewWaits(p.Calls.Waits), Policies: []policy{}, Changes: []change{},
		Points: append([]point{}, r.history.points...), Told: append([]string{}, r.told...), Warnings: []string{},
	}
	d.Means, d.Change = p.Explain()
	for _, s := range p.Calls.Policies {
		d.Policies = append(d.Policies, policy{s.Kind, s.Name, s.State, s.Left.Seconds()})
	}
	for _, c := range r.changes {
		d.Changes = append(d.Changes, change{c.At.Seconds(), c.Workers, c.Reason})
	}
	if r.over != nil {
		r.over.show(&d)
	}
	return d
}

// show adds the outcome of an ended run.
func (o *outcome) show(d *detail) {
	d.InFlight, d.Held, d.Workers, d.RatePerS = 0, 0, 0, o.goodput
	d.Bound, d.Error = string(o.bound), o.err
	d.Means, d.Change = o.bound.Explain()
	d.Warnings = append(d.Warnings, o.warnings...)
}

func viewCalls(c *amorsize.Calls) calls {
	return calls{
		OK: c.OK(), Overloaded: c.Failed.Overloaded, TimedOut: c.Failed.TimedOut, Refused: c.Failed.Refused,
		Panicked: c.Failed.Panicked, Other: c.Failed.Other, NotMade: c.NotMade, Retried: c.Retried,
		P50: c.Latency.Quantile(0.5).Seconds(), P90: c.Latency.Quantile(0.9).Seconds(),
		P99: c.Latency.Quantile(0.99).Seconds(), Max: c.Latency.Max().Seconds(),
	}
}

func viewWaits(all []amorsize.Wait) []wait {
	out := make([]wait, 0, len(all))
	for _, w := range all {
		out = append(out, wait{w.Kind, w.Name, w.Calls, w.Total.Seconds()})
	}
	return out
}
