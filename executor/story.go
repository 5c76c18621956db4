package executor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bound names what kept a run from having more calls in flight.
type Bound string

// What can bound a run.
const (
	BoundByCores    Bound = "cores"       // the calls compute
	BoundByMemory   Bound = "memory"      // of the calls in flight
	BoundByPolicies Bound = "policies"    // a rate limit, an open breaker, backing off
	BoundByService  Bound = "the service" // more calls in flight achieved no more, or were refused
	BoundByItems    Bound = "items"       // they ran out first, or came too slowly
	BoundByCaller   Bound = "the caller"  // a number or a bound that was set
)

// Moment is what a run of calls that wait was like at a time.
type Moment struct {
	At       time.Duration // since the start of the run
	Limit    int           // calls that may be in flight
	InFlight int           // calls that were
	Held     int           // workers held back by policies
	Rate     float64       // calls per second, as of the latest measurement
	Latency  time.Duration // mean time of a call, as of the latest measurement
	Base     time.Duration // mean time of a call that no other one keeps waiting
	Bound    Bound         // what kept the limit from being higher; empty while it grew
}

// maxMoments is how many moments a story keeps; above it every other one is dropped.
const maxMoments = 512

// story keeps what a run of calls that wait was like, evenly spread over its time.
type story struct {
	moments []Moment
	every   time.Duration // least time between two moments
	last    Moment
	bounds  map[Bound]time.Duration // how long each has bound the run
}

// add keeps m. What was not measured anew is as before.
func (s *story) add(m Moment) {
	if m.Rate == 0 {
		m.Rate, m.Latency = s.last.Rate, s.last.Latency
	}
	if m.At < s.last.At {
		return // reviews may overtake each other
	}
	if s.last.Bound != "" {
		if s.bounds == nil {
			s.bounds = map[Bound]time.Duration{}
		}
		s.bounds[s.last.Bound] += m.At - s.last.At
	}
	s.last = m
	if n := len(s.moments); n > 0 && m.At-s.moments[n-1].At < s.every {
		return
	}
	s.moments = append(s.moments, m)
	if len(s.moments) < maxMoments {
		return
	}
	for i := range maxMoments / 2 {
		s.moments[i] = s.moments[2*i+1]
	}
	s.moments = s.moments[:maxMoments/2]
	s.every = 2 * m.At / maxMoments
}

// bound returns what has bound the run for longest. A run that only grew ran
// out of items.
func (s *story) bound() Bound {
	longest := BoundByItems
	for _, b := range []Bound{BoundByCores, BoundByMemory, BoundByPolicies, BoundByService, BoundByCaller} {
		if s.bounds[b] > s.bounds[longest] {
			longest = b
		}
	}
	return longest
}

// Latencies are how long calls took that wait, attempts each for itself and
// without what policies made them wait. They are exact to 1 %.
type Latencies struct {
	Base               time.Duration // mean of a call that no other one keeps waiting
	P50, P90, P99, Max time.Duration
}

// latencies collects them. A nil *latencies collects nothing.
type latencies struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram // of microseconds, up to an hour
}

func newLatencies() *latencies {
	return &latencies{histogram: hdrhistogram.New(1, time.Hour.Microseconds(), 2)}
}

func (l *latencies) record(took time.Duration, calls int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	each := min(max(1, took.Microseconds()/int64(calls)), time.Hour.Microseconds())
	_ = l.histogram.RecordValues(each, int64(calls)) // it is in range
}

func (l *latencies) summary(base time.Duration) Latencies {
	if l == nil || l.histogram.TotalCount() == 0 {
		return Latencies{Base: base}
	}
	at := func(q float64) time.Duration {
		return time.Duration(l.histogram.ValueAtQuantile(q)) * time.Microsecond
	}
	return Latencies{Base: base, P50: at(50), P90: at(90), P99: at(99), Max: time.Duration(l.histogram.Max()) * time.Microsecond}
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
	fmt.Fprintf(table, "\tat\tlimit\tin flight\theld back\tcalls/s\tlatency\tunloaded\tbound by\t\n")
	step := max(1, (len(r.Timeline)+rows-1)/rows)
	for i := range slices.Chunk(r.Timeline, step) {
		m := i[len(i)-1]
		fmt.Fprintf(table, "\t%s\t%d\t%d\t%d\t%.4g\t%s\t%s\t%s\t\n", short(m.At), m.Limit, m.InFlight, m.Held,
			m.Rate, short(m.Latency), short(m.Base), m.Bound)
	}
	_ = table.Flush() // a strings.Builder takes all
	return b.String()
}
