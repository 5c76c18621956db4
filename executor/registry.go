package executor

import (
	"sync"
	"unsafe"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
)

// trackers are those of functions that runs of the process make calls of at
// present. Runs of one function that are under way at the same time share one, as
// the runs of a [Session] do: each by itself would begin with 16 calls and multiply
// them, and where there are many such runs, as in a server that starts one for each
// request, all their calls would be there before the first of them has seen a line.
//
// Runs of plain functions share nothing: whether one is made within a call of another
// can't be seen without a context, and it must not wait for that. Nor do streams and
// batches, so far.
var trackers registry

type registry struct {
	mu sync.Mutex
	of map[trackerKey]*sharedTracker
}

// trackerKey is a function, by its value: the same code with the same captured variables.
// A closure that is made anew for each run is another function each time. What belongs
// to a bubble of testing/synctest must stay in it.
type trackerKey struct {
	function unsafe.Pointer
	bubble   string
}

type sharedTracker struct {
	flight.Tracker
	runs int
}

// join returns the tracker that runs of the function share, and what to leave it by.
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

// leave ends a run's part. The last one takes the tracker along.
func (g *registry) leave(key trackerKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shared := g.of[key]; shared != nil {
		if shared.runs--; shared.runs == 0 {
			delete(g.of, key)
		}
	}
}
