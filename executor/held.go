package executor

import (
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
)

// held counts the workers whose calls policies hold back, around the function or inside it.
type held struct {
	workers int
	metered int  // of them, without those in backoff between two attempts
	lines   int  // lines that they wait in and other calls may not, as far as known
	many    bool // there are other lines: a limiter for each key

	unwatched int // workers whose current call began before it was watched
}

// linesAhead is how many workers may wait for each line if calls for other keys could
// proceed. If the items are sorted by key, that many of one key may have to be taken before
// the first of the next key is reached.
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

// add counts w, if it is held back, and returns the line that it waits in, if that is known.
// policed says that there are policies around the function. A line is shared if it is the
// same for all items: later items wait there as well.
func (h *held) add(w *worker, policed bool) (line waiting.Line, shared bool) {
	line, waits := w.call.waitsIn()
	outside := policed && w.inPolicies()
	if waits || outside {
		h.workers++
	}
	if line.Of != nil || outside && !waits { // a policy that reports nothing may be a limiter
		h.metered++
	}
	return line, outside && !line.OneOfMany
}

// workersFor returns how many workers are needed to have limit calls in flight.
//
// A worker that waits in a policy is not in flight: another may take its place. If all wait
// in one line, twice the number is enough to keep the service busy during backoff: more
// workers would only wait, too. If there are several lines, the next item may belong to an
// empty line. most, if not 0, is the caller's bound on workers: waiting workers may resume at
// any time, and all at once.
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
