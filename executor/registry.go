package executor

import (
	"sync"
	"unsafe"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
)

// trackers has a tracker for each function that runs of the process call at present.
// Concurrent runs of one function share its tracker, as the runs of a [Session] do.
// Otherwise each run would begin with 16 calls and multiply them; with many such runs, as
// in a server that starts one per request, all their calls would be in flight before the
// first run has measured any queueing.
//
// Runs of plain functions share nothing: without a context a run can't tell whether it
// was started within a call of another one, for which it must not wait. Streams and
// batches don't share either, so far.
var trackers registry

type registry struct {
	mu sync.Mutex
	of map[trackerKey]*sharedTracker
}

// trackerKey identifies a function by its value: the same code with the same captured
// variables. A closure made for each run is another function each time. A tracker of a
// testing/synctest bubble must stay in it.
type trackerKey struct {
	function unsafe.Pointer
	bubble   string
}

type sharedTracker struct {
	flight.Tracker
	runs int
}

// join returns the tracker that runs of the function share, and the key for leave.
func (g *registry) join(f function, virtual bool) (*flight.Tracker, trackerKey) {
	key := trackerKey{function: f.value}
	if virtual {
		key.bubble = clock.Bubble()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	shared := g.of[key]
	if shared == nil {
		if g.of == nil {
			g.of = map[trackerKey]*sharedTracker{}
		}
		shared = new(sharedTracker)
		g.of[key] = shared
	}
	shared.runs++
	return &shared.Tracker, key
}

// leave ends a run's share. The last run removes the tracker.
func (g *registry) leave(key trackerKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shared := g.of[key]; shared != nil {
		if shared.runs--; shared.runs == 0 {
			delete(g.of, key)
		}
	}
}
