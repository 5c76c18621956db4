package executor

import (
	"sync/atomic"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// sharing is a run's share of a limit on calls in flight, which other runs may use too.
type sharing struct {
	*job
	tracker *flight.Tracker // its own, or the shared one
	shares  bool            // shared with other runs, or may be
	key     trackerKey      // if the tracker is from trackers

	crew   *crew
	source source.Source

	mine  atomic.Int64 // calls in flight that this run may have
	reach atomic.Int64 // the same if there were more items
}

// join makes the run use the shared tracker, if it shares one.
func (s *sharing) join() {
	switch {
	case s.cfg.Session != nil:
		s.tracker, s.shares = &s.cfg.Session.tracker, true
	case s.cfg.function.value == nil || s.cfg.Workers > 0 || s.batches != nil,
		s.parent.Value(functionKey{s.cfg.function}) != nil: // within a call of the same function
		s.tracker = new(flight.Tracker)
	default:
		s.tracker, s.key = trackers.join(s.cfg.function, clock.Virtual(s.start))
		s.shares = true
	}
}

// leave ends the sharing.
func (s *sharing) leave() {
	s.tracker.Delist(s, clock.Now())
	if s.key.function != nil {
		trackers.leave(s.key)
	}
}

// allow sets how many calls in flight this run may have, and how many it could have with
// more items.
func (s *sharing) allow(most, reach int) {
	s.mine.Store(int64(most))
	s.reach.Store(int64(reach))
}

// most returns how many calls in flight this run may have.
func (s *sharing) most() int { return int(s.mine.Load()) }

// Bounds implements [flight.Run].
func (s *sharing) Bounds() (least, most, reach int) {
	return s.cfg.MinWorkers, s.most(), int(s.reach.Load())
}

// Demand implements [flight.Run].
func (s *sharing) Demand() (busy, more int) {
	idle, there := s.source.Demand()
	return int(s.crew.running.Load()) - idle, there
}

// inTurn reports whether a call needs a turn, because other runs may make calls, too.
func (s *sharing) inTurn() bool {
	return s.cfg.Session != nil || s.shares && s.tracker.Shared()
}

// takeTurn waits until the runs that share a limit may make one more call. It is false if
// the run ends first.
func (s *sharing) takeTurn(w *worker) bool {
	if w.call.hasTurn() { // if it was in a call when calls were found to be I/O-bound
		return true
	}
	patience := max(flight.Stalled, 8*s.tracker.Base())
	age, taken, ok := s.tracker.Turns.Take(s.ctx.Done(), patience)
	if !ok {
		return false
	}
	w.call.takesTurn(&s.tracker.Turns, age)
	w.attempt.TookTurn(taken)
	return true
}

// giveTurn gives back the turn of w, if it has one.
func (s *sharing) giveTurn(w *worker) {
	if !s.shares || w.call == nil {
		return
	}
	if of, age := w.call.endsTurn(); of != nil {
		of.Give(age)
	}
}

// part gives up everything that w has in the limit when it leaves.
func (s *sharing) part(w *worker) {
	if w.call != nil {
		w.call.part()
	}
	s.giveTurn(w) // after a Goexit
	w.forget()
}

var _ flight.Run = (*sharing)(nil)
