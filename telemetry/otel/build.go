package amorsizeotel

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/runtotals"
)

// builder makes metrics of totals: one of each name, with a data point for each run's name.
type builder struct {
	began, now time.Time
	metrics    []metricdata.Metrics
}

// add adds the metrics of all runs.
func (b *builder) add(all []runtotals.Total) {
	if len(all) == 0 {
		return
	}
	b.sums(all)
	b.sum("amorsize.run.active", "{run}", "Runs under way.", false, each(all, func(t *runtotals.Total, add adder) { add(int64(t.Active)) }))
	b.sum("amorsize.call.in_flight", "{call}", "Calls in flight.", false, each(all, func(t *runtotals.Total, add adder) { add(int64(t.InFlight)) }))
	b.sum("amorsize.call.held", "{worker}", "Workers that wait for policies.", false, each(all, func(t *runtotals.Total, add adder) { add(int64(t.Held)) }))
	b.gauge("amorsize.call.limit", "{call}", "Limit of calls in flight.", each(all, func(t *runtotals.Total, add adder) { add(int64(t.Limit)) }))
	b.gauge("amorsize.run.bound", "{run}", "Runs under way, by what limits them.", each(all, func(t *runtotals.Total, add adder) {
		for _, name := range slices.Sorted(maps.Keys(t.Bounds)) {
			add(int64(t.Bounds[name]), bound.String(name))
		}
	}))
	b.gauge("amorsize.policy.state", "1", "1 for each policy that is paused, open or half-open.", each(all, func(t *runtotals.Total, add adder) {
		told := map[[3]string]bool{} // runs of one name may share a policy
		for _, s := range t.Calls.Policies {
			if is := [3]string{s.Kind, s.Name, s.State}; !told[is] {
				told[is] = true
				add(1, policyKind.String(s.Kind), policyName.String(s.Name), attribute.String("amorsize.policy.state", s.State))
			}
		}
	}))
	b.histograms(all)
}

// sums adds the values that only grow.
func (b *builder) sums(all []runtotals.Total) {
	b.sum("amorsize.run.ended", "{run}", "Runs that have ended.", true, each(all, func(t *runtotals.Total, add adder) {
		add(t.OK, outcome.String("ok"))
		add(t.Failed, outcome.String("failed"))
	}))
	b.sum("amorsize.item.ended", "{item}", "Items that have ended.", true, each(all, func(t *runtotals.Total, add adder) {
		add(t.ItemsOK, outcome.String("ok"))
		add(t.ItemsFailed, outcome.String("failed"))
	}))
	b.sum("amorsize.call.ended", "{call}", "Calls that have ended, counting each attempt; those without error.type succeeded.", true, each(all, func(t *runtotals.Total, add adder) {
		f := t.Calls.Failed
		add(t.Calls.OK())
		add(f.Overloaded, errorType.String("overloaded"))
		add(f.TimedOut, errorType.String("timeout"))
		add(f.Refused, errorType.String("refused"))
		add(f.Panicked, errorType.String("panic"))
		add(f.Other, errorType.String("_OTHER"))
	}))
	b.sum("amorsize.call.not_made", "{item}", "Items that were not called because a policy refused.", true, each(all, func(t *runtotals.Total, add adder) { add(t.Calls.NotMade) }))
	b.sum("amorsize.call.retried", "{call}", "Calls that were retries.", true, each(all, func(t *runtotals.Total, add adder) { add(t.Calls.Retried) }))
	b.sum("amorsize.journal.synced", "{record}", "Records synced to disk.", true, each(all, func(t *runtotals.Total, add adder) { add(t.SyncedRecords) }))
	b.sum("amorsize.event.dropped", "{event}", "Events dropped because listeners were too slow.", true, each(all, func(t *runtotals.Total, add adder) { add(t.DroppedEvents) }))
}

// adder adds a data point with attributes in addition to the run's name.
type adder func(value int64, with ...attribute.KeyValue)

// each collects points for each total.
func each(all []runtotals.Total, points func(*runtotals.Total, adder)) (out []metricdata.DataPoint[int64]) {
	for i := range all {
		points(&all[i], func(value int64, with ...attribute.KeyValue) {
			out = append(out, metricdata.DataPoint[int64]{Attributes: attributes(&all[i], with...), Value: value})
		})
	}
	return out
}

func attributes(t *runtotals.Total, with ...attribute.KeyValue) attribute.Set {
	return attribute.NewSet(append(with, runName.String(t.Title))...)
}

// sum adds a sum: a counter, or an up-down counter if it is not monotonic.
func (b *builder) sum(name, unit, help string, monotonic bool, points []metricdata.DataPoint[int64]) {
	b.put(name, unit, help, metricdata.Sum[int64]{DataPoints: b.timed(points), Temporality: metricdata.CumulativeTemporality, IsMonotonic: monotonic})
}

func (b *builder) gauge(name, unit, help string, points []metricdata.DataPoint[int64]) {
	if len(points) > 0 {
		b.put(name, unit, help, metricdata.Gauge[int64]{DataPoints: b.timed(points)})
	}
}

func (b *builder) put(name, unit, help string, data metricdata.Aggregation) {
	b.metrics = append(b.metrics, metricdata.Metrics{Name: name, Description: help, Unit: unit, Data: data})
}

func (b *builder) timed(points []metricdata.DataPoint[int64]) []metricdata.DataPoint[int64] {
	for i := range points {
		points[i].StartTime, points[i].Time = b.began, b.now
	}
	return points
}

// scale is the resolution of exponential buckets: 8 for each doubling.
const scale = 3

// histograms adds how long calls took and waited.
func (b *builder) histograms(all []runtotals.Total) {
	var calls, waits []metricdata.ExponentialHistogramDataPoint[float64]
	for i := range all {
		t := &all[i]
		calls = append(calls, b.point(&t.Calls.Latency, attributes(t)))
		for k := range t.Calls.Waits {
			w := &t.Calls.Waits[k]
			waits = append(waits, b.point(&w.Times, attributes(t, policyKind.String(w.Kind), policyName.String(w.Name))))
		}
	}
	b.put("amorsize.call.duration", "s", "Duration of calls, without the time they waited for policies.",
		metricdata.ExponentialHistogram[float64]{DataPoints: calls, Temporality: metricdata.CumulativeTemporality})
	if len(waits) > 0 {
		b.put("amorsize.policy.wait", "s", "Time that calls waited for policies.",
			metricdata.ExponentialHistogram[float64]{DataPoints: waits, Temporality: metricdata.CumulativeTemporality})
	}
}

func (b *builder) point(h *amorsize.Histogram, with attribute.Set) metricdata.ExponentialHistogramDataPoint[float64] {
	p := metricdata.ExponentialHistogramDataPoint[float64]{
		Attributes: with, StartTime: b.began, Time: b.now, Count: uint64(h.Count()), Sum: h.Sum().Seconds(), Scale: scale,
	}
	if h.Count() > 0 {
		p.Min, p.Max = metricdata.NewExtrema(h.Min().Seconds()), metricdata.NewExtrema(h.Max().Seconds())
	}
	first := true
	for i, n := range h.Buckets(scale) {
		index := int32(i) - 1 // bucket k is above 2^(k/8) and up to 2^((k+1)/8)
		if first {
			p.PositiveBucket.Offset, first = index, false
		}
		for int32(len(p.PositiveBucket.Counts)) < index-p.PositiveBucket.Offset {
			p.PositiveBucket.Counts = append(p.PositiveBucket.Counts, 0)
		}
		p.PositiveBucket.Counts = append(p.PositiveBucket.Counts, uint64(n))
	}
	return p
}
