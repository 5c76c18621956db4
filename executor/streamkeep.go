package executor

import (
	"github.com/amorsize/amorsize/internal/clock"
)

// What a keeper knows about items of a stream, and what it is told. Known items arrive like
// others, and have a place in the window. The worker that claims them hands over the known
// results.

// recall asks the keeper about arriving item n. An error ends the stream like an error of
// the input.
func (s *stream[T, R]) recall(n int, item T) error {
	past, known, err := s.fn.Keeper.Known(n, item)
	if !known || err != nil || past.Err != nil && s.cfg.Errors == FailFast {
		return err
	}
	of := Result[T, R]{Index: n, Item: item, Value: past.Value}
	if past.Err != nil {
		of.Value, of.Err = *new(R), &ItemError{Index: n, Attempts: past.Attempts, Err: past.Err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[n] = of
	return nil
}

// skip hands over the known items at the beginning of a claim, and returns the items after
// them that are to be run.
func (s *stream[T, R]) skip(claim span) span {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := claim.Lo
	for ; at < claim.Hi; at++ {
		of, known := s.known[at]
		if !known {
			break
		}
		delete(s.known, at)
		s.cfg.past.count(of.Err)
		s.results = append(s.results, of)
	}
	run := span{Lo: at, Hi: at}
	for run.Hi < claim.Hi {
		if _, known := s.known[run.Hi]; known {
			break
		}
		run.Hi++
	}
	if at > claim.Lo {
		s.pass(span{Lo: claim.Lo, Hi: at})
		s.wake()
	}
	return run
}

// pass frees the places of items that are handed over without being run. mu is held.
func (s *stream[T, R]) pass(known span) {
	if !s.cfg.Unordered {
		s.ranges = append(s.ranges, known)
		s.ring.clear(known.Lo, known.Hi)
		return
	}
	for i := known.Lo; i < known.Hi; i++ {
		*s.ring.at(i) = *new(T)
		if s.ring.block(i).unread.Add(-1) == 0 {
			s.arrivals.MakeRoom()
		}
	}
}

// keep passes to the keeper the current item, which ended with err.
func (r *streaming[T, R]) keep(i int, err error) {
	now := Outcome[R]{Value: r.cell.Value, Attempts: r.w.attempts, Took: r.cell.Duration}
	if err != nil {
		now.Value, now.Err = *new(R), err
	}
	r.kept.keep(r.w, i, r.cell.Item, now, clock.Now())
}

// lost passes to the keeper an item that panicked, or ended its goroutine.
func (r *streaming[T, R]) lost(w *worker, s span) {
	if err := w.ended(); err != nil && w.at < s.Hi {
		r.kept.keep(w, w.at, r.cell.Item, Outcome[R]{Err: err, Attempts: w.attempts}, clock.Now())
	}
}
