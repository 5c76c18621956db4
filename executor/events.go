package executor

import (
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// EventKind names the events of a run, in the order in which they come.
type EventKind int

// The events of a run. Started and Finished come exactly once each.
const (
	Started   EventKind = iota // nothing has been run
	Planning                   // Fraction of the planning is done, 0 to 1
	Planned                    // Plan is made, or revised
	ChunkDone                  // a worker has run a chunk of items
	Finished                   // Report is complete
)

// Event is told to an [Observer]. Completed, Total and Elapsed are always set.
type Event struct {
	Kind      EventKind
	Elapsed   time.Duration // since the start of the run
	Completed int           // items that were run, failures included
	Total     int           // items; -1 of a stream whose input has not ended

	Fraction float64         // Planning
	Plan     *optimizer.Plan // Planned, Finished
	Report   *Report         // Finished

	Chunk    int           // ChunkDone: 0, 1, 2, … in the order of completion
	Size     int           // ChunkDone: items in it
	Duration time.Duration // ChunkDone: how long it took

	// Dropped is how many events were dropped between the previous one told and this
	// one, because the listeners of the run were too slow for them.
	Dropped int
}

// Observer is told the events of a run, one at a time and in order, with no lock
// held, within milliseconds of their happening. No worker waits for it: it is called
// by a goroutine that does nothing else, and at the end by the run's caller.
//
// A slow observer does not slow the run down. Up to [MaxBacklog] events wait for it.
// Of more, and of those that it has not been told when the run ends, the oldest of
// the kinds Planning and ChunkDone are dropped and counted: the run ends no later
// than its last calls do.
//
// What an event points to must not be changed. A panic in an observer stops the run
// like one in the function; so does a [runtime.Goexit], with [ErrGoexit].
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes a function an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Progress tells how far a run is, as of the call that it is passed to.
type Progress struct {
	Completed, Total int           // items; Completed counts failures too; Total is -1 if it is not known yet
	Elapsed          time.Duration // since the start of the run
	Rate             float64       // items finished per second so far
	Remaining        time.Duration // at that rate; 0 if there is none yet
	Workers          int           // running now
}

// Fraction returns how much of the items is done, 0 to 1; 1 for no items, 0 if
// their number is not known yet.
func (p Progress) Fraction() float64 {
	if p.Total < 0 {
		return 0
	}
	if p.Total == 0 {
		return 1
	}
	return float64(p.Completed) / float64(p.Total)
}

// Every returns a function that passes progress on to report, at most once in
// interval of the run's time, and once when all is done. It is for one run.
func Every(interval time.Duration, report func(Progress)) func(Progress) {
	var last time.Duration
	complete := false
	return func(p Progress) {
		unfinished := p.Total < 0 || p.Completed < p.Total
		if complete || unfinished && p.Elapsed-last < interval {
			return
		}
		last, complete = p.Elapsed, !unfinished
		report(p)
	}
}
