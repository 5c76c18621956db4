package executor

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/runpage"
)

// MarshalJSON writes the report in the format of the command's summary, by the same schema
// (cmd/amorsize/schema/summary.schema.json); the command is named "program". Times are in
// seconds. It contains the texts of errors, of at most 1000 items; a text may contain an item.
func (r Report) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

// The parts of the summary that exist in a report.
type (
	summaryJSON struct {
		V         int           `json:"v"`
		Cmd       string        `json:"cmd"`
		Started   time.Time     `json:"started"`
		Total     int           `json:"total"`
		OK        int           `json:"ok"`
		Failed    int           `json:"failed"`
		Skipped   int           `json:"skipped"`
		Retried   int64         `json:"retried"`
		Throttled int64         `json:"throttled"`
		Wall      float64       `json:"wall_s"`
		PerSecond float64       `json:"rate_per_s"`
		Plan      planJSON      `json:"plan"`
		Peak      peakJSON      `json:"peak"`
		Job       jobJSON       `json:"job"`
		Breaker   breakerJSON   `json:"breaker"`
		Failures  []failureJSON `json:"failures"`
		Reasons   []reasonJSON  `json:"reasons"`
		Stopped   string        `json:"stopped,omitempty"`
		Exit      int           `json:"exit"`
		Host      hostJSON      `json:"host"`
		Bound     string        `json:"bound,omitempty"`
		Timeline  []momentJSON  `json:"timeline,omitempty"`
		Histogram []binJSON     `json:"histogram,omitempty"`
	}
	planJSON struct {
		Workers int    `json:"workers"`
		Batch   int    `json:"batch"`
		Binding string `json:"binding"`
		Why     string `json:"why"`
		Sampled int    `json:"sampled"`
	}
	peakJSON struct {
		Workers int   `json:"workers"`
		RSS     int64 `json:"rss_bytes"`
	}
	jobJSON struct {
		P50   float64 `json:"p50_s"`
		P95   float64 `json:"p95_s"`
		P99   float64 `json:"p99_s"`
		Max   float64 `json:"max_s"`
		CPU   float64 `json:"cpu_s"`
		Tries int64   `json:"tries"`
	}
	breakerJSON struct {
		Opened int     `json:"opened"`
		Paused float64 `json:"paused_s"`
	}
	failureJSON struct {
		N     int    `json:"n"`
		Item  string `json:"item"`
		Why   string `json:"why"`
		Tries int    `json:"tries"`
		Err   string `json:"err"`
	}
	reasonJSON struct {
		Why   string `json:"why"`
		Items int    `json:"items"`
	}
	hostJSON struct {
		Cores  int    `json:"cores"`
		Memory uint64 `json:"mem"`
	}
	momentJSON struct {
		At       float64 `json:"at_s"`
		Limit    int     `json:"limit"`
		InFlight int     `json:"in_flight"`
		Rate     float64 `json:"rate_per_s"`
		Latency  float64 `json:"latency_s"`
		Failed   int     `json:"failed"`
	}
	binJSON struct {
		From  float64 `json:"from_s"`
		To    float64 `json:"to_s"`
		Count int64   `json:"count"`
	}
)

// mostFailures is how many failures the JSON of a report lists.
const mostFailures = 1000

func (r *Report) summary() *summaryJSON {
	h := &r.Calls.Latency
	s := &summaryJSON{
		V: 1, Cmd: "program", Started: r.Started, Total: r.Items, OK: r.Succeeded, Failed: r.Failed, Skipped: r.Known,
		Retried: r.Calls.Retried, Throttled: r.Calls.Failed.Overloaded, Wall: r.Elapsed.Seconds(), PerSecond: r.Goodput(),
		Plan: planJSON{
			Workers: r.Plan.Workers, Batch: max(1, r.Plan.ChunkSize), Binding: string(r.Bound), Why: r.Plan.Reason, Sampled: r.Plan.Sample.Items,
		},
		Peak: peakJSON{Workers: r.PeakWorkers},
		Job: jobJSON{
			P50: h.Quantile(0.5).Seconds(), P95: h.Quantile(0.95).Seconds(), P99: h.Quantile(0.99).Seconds(), Max: h.Max().Seconds(),
			CPU: r.CPUTime.Seconds(), Tries: r.Calls.Ended,
		},
		Failures: []failureJSON{}, Reasons: []reasonJSON{}, Host: hostJSON{runtime.NumCPU(), r.Plan.Host.MemoryTotal}, Bound: string(r.Bound),
	}
	for _, m := range r.moments() {
		s.Timeline = append(s.Timeline, momentJSON{At: m.At, Limit: m.Limit, InFlight: m.InFlight, Rate: m.Rate, Latency: m.Latency})
	}
	for _, b := range r.bins() {
		s.Histogram = append(s.Histogram, binJSON(b))
	}
	for _, w := range r.Calls.Waits {
		if w.Kind == "circuitbreaker" {
			s.Breaker.Paused += w.Total.Seconds()
		}
	}
	r.addFailures(s)
	return s
}

// addFailures adds what went wrong.
func (r *Report) addFailures(s *summaryJSON) {
	if r.Err != nil {
		s.Exit = 1
		if r.Succeeded+r.Failed < r.Items {
			s.Stopped = firstLine(r.Err)
		}
	}
	for _, err := range r.failures() {
		f := failureJSON{Why: kindOf(err), Err: err.Error()}
		if item, ok := errors.AsType[*ItemError](err); ok {
			f.N, f.Tries = item.Index+1, item.Attempts
		} else if batch, ok := errors.AsType[*BatchError](err); ok {
			f.N = batch.Index + 1
		}
		if len(s.Failures) < mostFailures {
			s.Failures = append(s.Failures, f)
		}
		at := 0
		for at < len(s.Reasons) && s.Reasons[at].Why != f.Why {
			at++
		}
		if at == len(s.Reasons) {
			s.Reasons = append(s.Reasons, reasonJSON{Why: f.Why})
		}
		s.Reasons[at].Items++
	}
}

// failures are the errors of the items that failed.
func (r *Report) failures() []error {
	if all, ok := errors.AsType[*Errors](r.Err); ok {
		return all.Unwrap()
	}
	if item, ok := errors.AsType[*ItemError](r.Err); ok {
		return []error{item}
	}
	return nil
}

// kindOf names the kind of a failure.
func kindOf(err error) string {
	lost, throttled := answer.Lost(err)
	_, refused := answer.Refused(err)
	switch {
	case refused:
		return "refused"
	case throttled:
		return "throttled"
	case answer.TimedOut(err):
		return "timeout"
	case lost:
		return "overloaded"
	}
	return "error"
}

// reasons are the kinds of failures for the page.
func (r *Report) reasons() (list []runpage.Share) {
	var s summaryJSON
	r.addFailures(&s)
	for _, reason := range s.Reasons {
		list = append(list, runpage.Share{Name: reason.Why, Value: plural(reason.Items, "item"), Percent: 100 * float64(reason.Items) / float64(max(1, r.Failed))})
	}
	return list
}

// bins are the latency histogram of the calls: four for each doubling.
func (r *Report) bins() (list []runpage.Bin) {
	for i, n := range r.Calls.Latency.Buckets(2) {
		list = append(list, runpage.Bin{From: exp2(i - 1), To: exp2(i), Count: n})
	}
	return list
}

// exp2 is the bound of a bucket, in seconds.
func exp2(i int) float64 { return math.Exp2(float64(i) / 4) }
