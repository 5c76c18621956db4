// Package runtotals adds up what runs have done, by what they are called, for those who export
// it: the metrics of Prometheus and of OpenTelemetry.
package runtotals

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/amorsize/amorsize"
)

// MaxTitles is how many names of runs are told apart: metrics with ever new labels fill up the
// memory of whoever collects them. What comes after is called Other.
const (
	MaxTitles = 100
	Other     = "other"
)

// Runs adds up runs. The zero value is ready. It is safe for concurrent use.
type Runs struct {
	mu     sync.Mutex
	titles map[string]*title
}

// title is what runs of one name have done.
type title struct {
	ended  Total // of runs that have
	active map[*run]struct{}
}

// Total is what runs of one name have done, and what they do now.
type Total struct {
	Title         string
	OK, Failed    int64 // runs that have ended
	ItemsOK       int64
	ItemsFailed   int64
	Calls         amorsize.Calls // Policies are of those under way
	SyncedRecords int64
	SyncTime      time.Duration
	DroppedEvents int64

	Active    int // runs under way, and of those:
	Completed int
	Items     int // as far as they are known
	InFlight  int
	Limit     int
	Held      int
	Remaining time.Duration  // of the one that takes longest
	Bounds    map[string]int // by what binds them, how many
}

// Observer returns an observer for one run.
func (r *Runs) Observer(info amorsize.RunInfo) amorsize.Observer { return r.observe(info.Title()) }

func (r *Runs) observe(name string) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.titles == nil {
		r.titles = map[string]*title{}
	}
	if name == "" {
		name = "run"
	}
	if _, known := r.titles[name]; !known && len(r.titles) >= MaxTitles {
		name = Other
	}
	of := r.titles[name]
	if of == nil {
		of = &title{active: map[*run]struct{}{}}
		r.titles[name] = of
	}
	one := &run{runs: r, of: of}
	of.active[one] = struct{}{}
	return one
}

// All returns the totals, by name.
func (r *Runs) All() []Total {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Total, 0, len(r.titles))
	for _, name := range slices.Sorted(maps.Keys(r.titles)) {
		of := r.titles[name]
		total := of.ended
		total.Title, total.Bounds = name, map[string]int{}
		total.Calls = clone(&of.ended.Calls)
		for one := range of.active {
			one.addTo(&total)
		}
		all = append(all, total)
	}
	return all
}

// run is the observer of one run.
type run struct {
	runs *Runs
	of   *title

	// With the lock of runs.
	last    amorsize.Progress
	records int64
	syncing time.Duration
	dropped int64
}

// NoChunks implements [amorsize.Coarse].
func (r *run) NoChunks() {}

// Observe implements [amorsize.Observer].
func (r *run) Observe(e amorsize.Event) {
	if e.Kind == amorsize.ChunkDone && e.Dropped == 0 {
		return // of these there are many
	}
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	r.dropped += int64(e.Dropped)
	switch e.Kind {
	case amorsize.Progressed:
		r.last = *e.Progress
	case amorsize.Synced:
		r.records += int64(e.Size)
		r.syncing += e.Duration
	case amorsize.Finished:
		r.end(e)
	}
}

// end moves what the run has done to what runs that have ended have done.
func (r *run) end(e amorsize.Event) {
	calls := e.Report.Calls
	r.last.Completed, r.last.Failed, r.last.Calls = e.Completed, e.Report.Failed, &calls
	delete(r.of.active, r)
	ended := &r.of.ended
	r.done(ended)
	if e.Report.Err == nil {
		ended.OK++
	} else {
		ended.Failed++
	}
}

// done adds what the run has done so far.
func (r *run) done(t *Total) {
	t.ItemsFailed += int64(r.last.Failed)
	t.ItemsOK += int64(max(0, r.last.Completed-r.last.Failed))
	t.SyncedRecords += r.records
	t.SyncTime += r.syncing
	t.DroppedEvents += r.dropped
	if r.last.Calls != nil {
		merge(&t.Calls, r.last.Calls)
	}
}

// addTo adds a run under way.
func (r *run) addTo(t *Total) {
	r.done(t)
	p := &r.last
	t.Active++
	t.Completed += p.Completed
	t.Items += max(0, p.Total)
	t.InFlight += p.Now.InFlight
	t.Limit += p.Now.Limit
	t.Held += p.Now.Held
	t.Remaining = max(t.Remaining, p.Remaining)
	if p.Now.Bound != "" {
		t.Bounds[string(p.Now.Bound)]++
	}
	if p.Calls != nil {
		t.Calls.Policies = append(t.Calls.Policies, p.Calls.Policies...)
	}
}

// clone returns a copy that shares nothing that changes.
func clone(c *amorsize.Calls) amorsize.Calls {
	var out amorsize.Calls
	merge(&out, c)
	return out
}

// merge adds calls, but for the states of policies.
func merge(into, c *amorsize.Calls) {
	into.Ended += c.Ended
	into.NotMade += c.NotMade
	into.Retried += c.Retried
	into.Failed.Merge(c.Failed)
	into.Latency.Merge(&c.Latency)
	for i := range c.Waits {
		w := &c.Waits[i]
		at := slices.IndexFunc(into.Waits, func(o amorsize.Wait) bool { return o.Kind == w.Kind && o.Name == w.Name })
		if at < 0 {
			at = len(into.Waits)
			into.Waits = append(into.Waits, amorsize.Wait{Kind: w.Kind, Name: w.Name})
		}
		into.Waits[at].Calls += w.Calls
		into.Waits[at].Total += w.Total
		into.Waits[at].Times.Merge(&w.Times)
	}
}
