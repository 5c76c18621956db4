package amorsizeprom

import (
	"maps"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/runtotals"
)

// all are the descriptions of the metrics.
var all []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("amorsize_"+name, help, append([]string{"run"}, labels...), nil)
	all = append(all, d)
	return d
}

var (
	runs          = describe("runs_total", "Runs that have ended, by outcome.", "outcome")
	active        = describe("runs_active", "Runs under way.")
	items         = describe("items_total", "Items that have ended, by outcome.", "outcome")
	calls         = describe("calls_total", "Calls that have ended, counting each attempt, by outcome.", "outcome")
	notMade       = describe("calls_not_made_total", "Items that were not called because a policy refused.")
	retries       = describe("retries_total", "Calls that were retries.")
	inFlight      = describe("calls_in_flight", "Calls in flight.")
	limit         = describe("calls_limit", "Limit of calls in flight.")
	held          = describe("calls_held", "Workers that wait for policies.")
	completed     = describe("run_items_completed", "Items of the runs under way that have ended.")
	expected      = describe("run_items", "Items of the runs under way, ended or not, as far as known.")
	remaining     = describe("run_remaining_seconds", "Estimated time to the end of the runs under way: the longest.")
	bound         = describe("run_bound", "Runs under way, by what limits them.", "bound")
	state         = describe("policy_state", "1 for each policy that is paused, open or half-open.", "kind", "policy", "state")
	synced        = describe("journal_records_synced_total", "Records synced to disk.")
	syncing       = describe("journal_sync_seconds_total", "Time spent syncing records to disk.")
	dropped       = describe("events_dropped_total", "Events dropped because listeners were too slow.")
	callDuration  = describe("call_duration_seconds", "Duration of calls, without the time they waited for policies.")
	policyWaiting = describe("policy_wait_seconds", "Time that calls waited for policies.", "kind", "policy")
)

// scrape is one collection of the runs of one name.
type scrape struct {
	to  chan<- prometheus.Metric
	run string
}

func (s scrape) counter(d *prometheus.Desc, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{s.run}, labels...)...)
}

func (s scrape) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.run}, labels...)...)
}

func (s scrape) counters(t *runtotals.Total) {
	s.counter(runs, float64(t.OK), "ok")
	s.counter(runs, float64(t.Failed), "failed")
	s.counter(items, float64(t.ItemsOK), "ok")
	s.counter(items, float64(t.ItemsFailed), "failed")
	failed := t.Calls.Failed
	s.counter(calls, float64(t.Calls.OK()), "ok")
	s.counter(calls, float64(failed.Overloaded), "overloaded")
	s.counter(calls, float64(failed.TimedOut), "timed_out")
	s.counter(calls, float64(failed.Refused), "refused")
	s.counter(calls, float64(failed.Panicked), "panicked")
	s.counter(calls, float64(failed.Other), "other")
	s.counter(notMade, float64(t.Calls.NotMade))
	s.counter(retries, float64(t.Calls.Retried))
	s.counter(synced, float64(t.SyncedRecords))
	s.counter(syncing, t.SyncTime.Seconds())
	s.counter(dropped, float64(t.DroppedEvents))
}

func (s scrape) gauges(t *runtotals.Total) {
	s.gauge(active, float64(t.Active))
	s.gauge(inFlight, float64(t.InFlight))
	s.gauge(limit, float64(t.Limit))
	s.gauge(held, float64(t.Held))
	s.gauge(completed, float64(t.Completed))
	s.gauge(expected, float64(t.Items))
	s.gauge(remaining, t.Remaining.Seconds())
	for name, n := range t.Bounds {
		s.gauge(bound, float64(n), name)
	}
	told := map[[3]string]bool{} // runs of one name may share a policy
	for _, p := range t.Calls.Policies {
		if is := [3]string{p.Kind, p.Name, p.State}; !told[is] {
			told[is] = true
			s.gauge(state, 1, p.Kind, p.Name, p.State)
		}
	}
}

func (s scrape) histograms(t *runtotals.Total) {
	s.histogram(callDuration, &t.Calls.Latency)
	for i := range t.Calls.Waits {
		w := &t.Calls.Waits[i]
		s.histogram(policyWaiting, &w.Times, w.Kind, w.Name)
	}
}

// schema is the resolution of the native buckets: 8 for each doubling.
const schema = 3

// classic are the bounds of the classic buckets, for servers that know no native ones.
var classic = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

func (s scrape) histogram(d *prometheus.Desc, h *amorsize.Histogram, labels ...string) {
	values := append([]string{s.run}, labels...)
	native := maps.Collect(h.Buckets(schema))
	sum := h.Sum().Seconds()
	m, err := prometheus.NewConstNativeHistogram(d, uint64(h.Count()), sum, native, nil, 0, schema, 0, time.Time{}, values...)
	if err != nil {
		s.to <- prometheus.NewInvalidMetric(d, err)
		return
	}
	s.to <- both{m, prometheus.MustNewConstHistogram(d, uint64(h.Count()), sum, cumulative(h), values...)}
}

// cumulative returns how many durations there are up to each of the classic bounds, as far as the fine buckets
// show: durations in the bucket that contains a bound count as above it.
func cumulative(h *amorsize.Histogram) map[float64]uint64 {
	out := make(map[float64]uint64, len(classic))
	for _, b := range classic {
		out[b] = 0
	}
	for i, n := range h.Buckets(6) {
		upTo := math.Exp2(float64(i) / 64)
		for _, b := range classic {
			if upTo <= b*(1+1e-9) {
				out[b] += uint64(n)
			}
		}
	}
	return out
}
