package summary

import (
	"cmp"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/sampling"
)

// MostFailures is how many failures a summary lists one by one. The log has all.
const MostFailures = 20

// mostMoments bounds the timeline: beyond it, every second moment is dropped.
const mostMoments = 400

// Collector is the jobs.Observer that collects the summary of a run. It is safe for concurrent use.
type Collector struct {
	state *jobs.State
	set   *policies.Set

	mu        sync.Mutex
	histogram *hdrhistogram.Histogram // of attempts, in microseconds
	failures  []Failure
	reasons   map[string]int
	timeline  []Moment
	spacing   time.Duration
	wall      time.Duration // of attempts since the latest moment
	attempts  int
	done      int64
}

// NewCollector returns a collector.
func NewCollector(state *jobs.State, set *policies.Set) *Collector {
	return &Collector{
		state: state, set: set, reasons: map[string]int{}, spacing: 200 * time.Millisecond,
		histogram: hdrhistogram.New(1, (24 * time.Hour).Microseconds(), 2),
	}
}

// Planned does nothing: the result of the run has the plan, too.
func (c *Collector) Planned(jobs.Plan) {}

// Tried takes an attempt.
func (c *Collector) Tried(j *jobs.Job, _ error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.histogram.RecordValue(max(1, j.Wall.Microseconds())) // a job of more than a day is not counted
	c.wall += j.Wall
	c.attempts++
	return nil
}

// Over takes a job that has ended.
func (c *Collector) Over(j *jobs.Job) error {
	if j.Err == nil {
		return nil
	}
	why := Why(j.Err, j.Status)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range j.Batch {
		c.reasons[why]++
		if len(c.failures) < MostFailures {
			c.failures = append(c.failures, Failure{
				N: it.N, Item: Brief(secrets.Hide(strings.ToValidUTF8(it.Text, "\uFFFD")), 200), Why: why, Tries: j.Tries, Err: secrets.Hide(Message(j)),
			})
		}
	}
	return nil
}

// Message returns the message of a failed job: the end of its standard error, or the error itself where that says
// more than its kind.
func Message(j *jobs.Job) string {
	tail := j.Outcome.Err.Tail(600)
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(tail), "\uFFFD"))
	lines := strings.Split(text, "\n")
	text = strings.Join(lines[max(0, len(lines)-3):], "\n")
	if text == "" && j.Err != nil {
		if why := Why(j.Err, j.Status); !strings.HasPrefix(why, "exit:") && why != "timeout" && !strings.HasPrefix(why, "signal:") {
			return j.Err.Error()
		}
	}
	return text
}

// Tick records a moment, if it is time.
func (c *Collector) Tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := now.Sub(c.state.Began)
	last := time.Duration(0)
	if n := len(c.timeline); n > 0 {
		last = time.Duration(c.timeline[n-1].At * float64(time.Second))
	}
	if at-last < c.spacing {
		return
	}
	done := c.state.Done.Load()
	m := Moment{
		At: at.Seconds(), Limit: int(c.state.Slots.Load()), InFlight: int(c.state.Running.Load()),
		Rate: float64(done-c.done) / (at - last).Seconds(), Failed: int(c.state.Failed.Load()),
	}
	if c.attempts > 0 {
		m.Latency = c.wall.Seconds() / float64(c.attempts)
	}
	c.done, c.wall, c.attempts = done, 0, 0
	if c.timeline = append(c.timeline, m); len(c.timeline) >= mostMoments {
		c.thin()
	}
}

// thin halves the timeline: it merges neighbours.
func (c *Collector) thin() {
	half := c.timeline[:0]
	for i := 1; i < len(c.timeline); i += 2 {
		a, b := c.timeline[i-1], c.timeline[i]
		b.Rate, b.Latency = (a.Rate+b.Rate)/2, max(a.Latency, b.Latency)
		half = append(half, b)
	}
	c.timeline = half
	c.spacing *= 2
}

// Summary returns the summary.
func (c *Collector) Summary(cmd string, result jobs.Result, skipped int) Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	done, failed := int(c.state.Done.Load()), int(c.state.Failed.Load())
	host := sampling.CurrentHost()
	name, _ := os.Hostname()
	s := Summary{
		V: Version, Cmd: cmd, Started: result.Began, Total: int(c.state.Total.Load()),
		OK: done - failed, Failed: failed, Skipped: skipped,
		Retried: int(c.set.Retried.Load()), Throttled: int(c.set.Throttled.Load()),
		Wall: result.Took.Seconds(), PerSecond: float64(done) / max(1e-9, result.Took.Seconds()),
		Plan: Plan{
			Workers: result.Plan.Slots, Batch: result.Plan.Batch, Binding: result.Plan.Binding,
			Why: result.Plan.Why(), Limits: result.Plan.Limits, Sampled: result.Plan.Cost.Items,
		},
		Peak:     Peak{Workers: int(c.state.Peak.Load()), RSS: c.state.Memory.Load()},
		Job:      c.job(),
		Breaker:  Breaker{Opened: int(c.set.Opened.Load()), Paused: c.set.Paused().Seconds()},
		Failures: c.failures, Reasons: c.sortedReasons(),
		Host:     Host{Cores: runtime.GOMAXPROCS(0), Memory: host.MemoryTotal, Name: name},
		Bound:    string(result.Report.Bound),
		Timeline: c.timeline, Histogram: c.bins(),
	}
	if s.Failures == nil {
		s.Failures = []Failure{}
	}
	if c.set.Limiter != nil {
		s.Rate = &Rate{c.set.Limiter.Rate(), time.Duration(c.set.Waited.Load()).Seconds()}
	}
	if result.Err != nil {
		s.Stopped = result.Err.Error()
	}
	return s
}

func (c *Collector) job() Job {
	at := func(q float64) float64 { return float64(c.histogram.ValueAtQuantile(q)) / 1e6 }
	return Job{
		P50: at(50), P95: at(95), P99: at(99), Max: float64(c.histogram.Max()) / 1e6,
		CPU: time.Duration(c.state.CPU.Load()).Seconds(), Tries: int(c.state.Tries.Load()),
	}
}

func (c *Collector) sortedReasons() []Reason {
	list := make([]Reason, 0, len(c.reasons))
	for why, n := range c.reasons {
		list = append(list, Reason{why, n})
	}
	slices.SortFunc(list, func(a, b Reason) int {
		return cmp.Or(b.Items-a.Items, strings.Compare(a.Why, b.Why))
	})
	return list
}

// bins returns a histogram of some thirty bins, each larger than the one before by the same factor.
func (c *Collector) bins() []Bin {
	if c.histogram.TotalCount() == 0 {
		return nil
	}
	low, high := float64(c.histogram.Min()), float64(c.histogram.Max())
	const most = 30
	ratio := max(1.1, math.Pow(high*1.01/low, 1.0/most))
	var bins []Bin
	for from := low; from <= high; from *= ratio {
		bins = append(bins, Bin{From: from / 1e6, To: from * ratio / 1e6})
	}
	for _, bar := range c.histogram.Distribution() {
		if bar.Count == 0 {
			continue
		}
		mid := float64(bar.From+bar.To) / 2e6
		i, _ := slices.BinarySearchFunc(bins, mid, func(b Bin, x float64) int { return cmp.Compare(b.To, x) })
		bins[i].Count += bar.Count // the last one ends beyond high
	}
	return bins
}
