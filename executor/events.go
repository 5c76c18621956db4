package executor

import (
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// EventKind names the events of a run, in the order in which they come.
type EventKind int

// The events of a run. Started and Finished come exactly once each.
const (
	Started       EventKind = iota // nothing has been run
	Planning                       // Fraction of the planning is done, 0 to 1
	Planned                        // Plan is made, or revised
	ChunkDone                      // a worker has run a chunk of items
	LimitChanged                   // Change is the new number of workers, or of calls in flight, and why
	PolicyChanged                  // Policy is in another state: a breaker has opened, a limiter pauses
	Progressed                     // Progress is the state of the run; as often as Config.Progress, and at the end
	Synced                         // a journal has written Size records to disk, in Duration
	Finished                       // Report is complete
)

// Event is what an [Observer] receives. Completed, Total and Elapsed are always set.
type Event struct {
	Kind      EventKind
	Elapsed   time.Duration // since the start of the run
	Completed int           // items that were run, failures included
	Total     int           // items; -1 for a stream whose input has not ended

	Fraction float64         // Planning
	Plan     *optimizer.Plan // Planned, Finished
	Change   *Change         // LimitChanged
	Policy   *PolicyState    // PolicyChanged
	Progress *Progress       // Progressed
	Report   *Report         // Finished

	Chunk    int           // ChunkDone: 0, 1, 2, … in the order of completion
	Size     int           // ChunkDone: items in it; Synced: records
	Duration time.Duration // ChunkDone, Synced: how long it took

	// Dropped is how many events were dropped between the previous delivered one and this one,
	// because the listeners of the run were too slow.
	Dropped int
}

// Observer receives the events of a run, one at a time and in order, with no lock held, within
// milliseconds. No worker waits for it: a separate goroutine calls it.
//
// A slow observer does not slow the run down. Up to [MaxBacklog] events wait for it. If there are
// more, or some are left when the run ends, the oldest are dropped and counted, except Started,
// Planned and Finished. At its end the run waits for the observer's call in progress and for these
// three events, but for no call longer than [Patience]: after that its observers receive nothing
// more, and the report has a warning.
//
// What an event points to must not be changed. A panic in an observer, or a [runtime.Goexit], does
// not affect the run: the report has a warning, and the first panic is logged with [slog.Default].
type Observer interface {
	Observe(Event)
}

// Coarse is an [Observer] that doesn't need ChunkDone. Its method does nothing. If all observers of
// a run are coarse, they are called ten times a second and at changes, instead of a thousand times a
// second.
type Coarse interface {
	Observer
	NoChunks()
}

// ObserverFunc makes a function an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }
