package live

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
)

// run is what is shown of a run. It is the run's observer.
type run struct {
	id      int
	info    amorsize.RunInfo
	errors  bool
	history history
	version atomic.Int64 // of what is shown: grows with each change

	mu      sync.Mutex
	state   string
	done    time.Duration // how long the run took, once it has ended
	plan    string
	last    amorsize.Progress
	over    *outcome // once the run has ended
	changes []amorsize.Change
	told    []string // latest events, for screen readers
}

// The states of a run.
const (
	running = "running"
	ok      = "done"
	failed  = "failed"
)

// maxChanges is how many changes of the limit are shown: the latest.
const maxChanges = 20

func newRun(id int, info amorsize.RunInfo, errors bool) *run {
	info.Context = nil // a run that has ended keeps nothing of the program alive
	r := &run{
		id: id, info: info, errors: errors, state: running,
		last: amorsize.Progress{Total: info.Total, Calls: &amorsize.Calls{}},
	}
	r.version.Store(1)
	return r
}

func (r *run) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state != running
}

// NoChunks implements [amorsize.Coarse]: progress has the same information.
func (r *run) NoChunks() {}

// Observe implements [amorsize.Observer].
func (r *run) Observe(e amorsize.Event) {
	if e.Kind == amorsize.ChunkDone { // sent because another observer of the run needs them
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version.Add(1)
	switch e.Kind {
	case amorsize.Planned:
		r.plan = e.Plan.String()
	case amorsize.LimitChanged:
		if len(r.changes) == maxChanges {
			r.changes = slices.Delete(r.changes, 0, 1)
		}
		r.changes = append(r.changes, *e.Change)
	case amorsize.PolicyChanged:
		state := e.Policy.State
		if state == "" {
			state = "back to the ordinary"
		}
		r.say(e.Policy.Kind + " " + e.Policy.Name + ": " + state)
	case amorsize.Progressed:
		r.last = *e.Progress
		r.history.add(r.last)
	case amorsize.Finished:
		r.end(e)
	}
}

// outcome is what is kept of a run's report, which may be large.
type outcome struct {
	known    int // items, by a journal
	goodput  float64
	bound    amorsize.Bound
	warnings []string
	err      string // empty if it must not be shown
}

// end records that the run has ended. mu is held.
func (r *run) end(e amorsize.Event) {
	r.state, r.done = ok, e.Report.Elapsed
	r.over = &outcome{known: e.Report.Known, goodput: e.Report.Goodput(), bound: e.Report.Bound, warnings: slices.Clone(e.Report.Warnings)}
	if e.Report.Err != nil {
		r.state = failed
		if r.errors {
			r.over.err = e.Report.Err.Error()
		}
	}
	r.last.Completed, r.last.Total = e.Completed, e.Report.Items
	r.last.Failed, r.last.Elapsed, r.last.Remaining = e.Report.Failed, e.Report.Elapsed, 0
	calls := e.Report.Calls
	r.last.Calls = &calls
	r.say("the run has ended")
}

// maxTold is how many of the latest events are kept.
const maxTold = 8

func (r *run) say(what string) {
	if len(r.told) == maxTold {
		r.told = slices.Delete(r.told, 0, 1)
	}
	r.told = append(r.told, what)
}
