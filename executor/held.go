package executor

import (
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
)

// held tells of the workers whose calls policies hold back: around the function, or
// from within it.
type held struct {
	workers int
	metered int  // of them, not those that back off between two attempts
	lines   int  // that they wait in and others may not, as far as known
	many    bool // and there are others: a limiter for each key

	unwatched int // workers whose calls began before they were told of, and go on
}

// linesAhead is how many workers may wait for each line that there is, where calls
// for other keys could go on: with the items sorted by key, so many of one key may
// have to be taken before the first of the next one comes.
const linesAhead = 1024

// heldBack looks at the workers.
func (s *scheduler) heldBack() (h held) {
	var lines map[any]struct{}
	s.crew.each(func(w *worker) {
		switch {
		case w.size.Load() == 0:
			return
		case w.early.Load() && !w.watching.Load():
			h.unwatched++
			return
		}
		line, shared := h.add(w, len(s.cfg.Policies) > 0)
		if line.Of == nil || shared {
			return
		}
		if lines == nil {
			lines = map[any]struct{}{}
		}
		lines[line.Of] = struct{}{}
		h.many = h.many || line.OneOfMany
	})
	h.lines = len(lines)
	return h
}

// add counts w, if it is held back, and returns the line that it waits in, if that is
// known. policed says that there are policies around the function. What is one for all items,
// be it one of several such policies, is shared: those behind wait there as well.
func (h *held) add(w *worker, policed bool) (line waiting.Line, shared bool) {
	line, waits := w.call.waitsIn()
	outside := policed && w.inPolicies()
	if waits || outside {
		h.workers++
	}
	if line.Of != nil || outside && !waits { // a policy that tells nothing may be a limiter
		h.metered++
	}
	return line, outside && !line.OneOfMany
}

// workersFor returns how many workers it takes to have so many calls in flight.
//
// Who waits in a policy is not in flight: others may take their place. Where all
// wait in one line, as many again are enough for backing off not to idle the service:
// more would only wait, too. Where there are several lines, the next item may be one
// for a line that is empty. most, if it is not 0, is a bound that the caller set on
// workers: those who wait may go on at any time, and all at once.
func (h held) workersFor(limit, most int) int {
	spare := min(h.workers, limit)
	if h.many || h.lines > 1 {
		spare = min(h.workers, linesAhead*h.lines)
	}
	workers := min(limit+spare, max(limit, optimizer.MaxWaiting)) + h.unwatched
	if most > 0 {
		workers = min(workers, max(limit, most))
	}
	return workers
}
