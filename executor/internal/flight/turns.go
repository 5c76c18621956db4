package flight

import (
	"sync"
	"time"
)

// Turns is a semaphore with a line: all runs that share a limit make no more calls at
// once than it, first come, first served. A single run needs none: it has no more
// workers than that.
//
// Who runs the function from within the function does not hold a turn meanwhile: whoever
// makes the call gives it back. So runs within runs don't wait for themselves.
// Where that can't be seen, because the function uses another context than the one
// it was given, nothing would ever go on: so if no turn has ended for long, those that
// are taken count no longer, and if that does not help, twice as many more are let in.
type Turns struct {
	mu     sync.Mutex
	most   int   // turns at once
	taken  int   // of the present age
	age    int64 // older turns do not count
	ended  int   // turns, ever
	stalls int   // in a row
	first  *turn
	last   *turn
}

// turn is a place in the line. Once it is ready, the rest is known.
type turn struct {
	ready chan struct{}
	age   int64
	taken int // turns, with this one
	next  *turn
}

// Stalled is how long no turn may end before those taken count no longer, or eight
// times what a call is known to take.
const Stalled = 250 * time.Millisecond

// Allow sets how many turns there may be at once.
func (t *Turns) Allow(most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = most
	t.serve()
}

// Over reports whether more turns are taken than there are: by calls that had begun
// before there was a limit, or before it fell.
func (t *Turns) Over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken > t.most
}

// room returns how many turns there may be: most, and twice as many each time that
// they stall anew. mu is held.
func (t *Turns) room() int { return t.most << min(max(0, t.stalls-1), 10) }

// serve lets in who is next. mu is held.
func (t *Turns) serve() {
	for t.first != nil && t.taken < t.room() {
		t.taken++
		t.first.age, t.first.taken = t.age, t.taken
		close(t.first.ready)
		if t.first = t.first.next; t.first == nil {
			t.last = nil
		}
	}
}

// Give gives a turn of an age back.
func (t *Turns) Give(age int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended++
	t.stalls = 0
	if age == t.age {
		t.taken--
	}
	t.serve()
}

// Force takes a turn, whether or not there is one, and returns its age.
func (t *Turns) Force() (age int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken++
	return t.age
}

// Take waits for a turn and returns its age and how many are taken with it; ok is
// false if done is closed first. patience is how long no turn may end meanwhile.
func (t *Turns) Take(done <-chan struct{}, patience time.Duration) (age int64, taken int, ok bool) {
	t.mu.Lock()
	if t.first == nil && t.taken < t.room() {
		defer t.mu.Unlock()
		t.taken++
		return t.age, t.taken, true
	}
	mine, ended := &turn{ready: make(chan struct{})}, t.ended
	if t.first == nil {
		t.first = mine
	} else {
		t.last.next = mine
	}
	t.last = mine
	t.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-mine.ready:
			return mine.age, mine.taken, true
		case <-timer.C:
			ended = t.unstall(ended)
			timer.Reset(patience)
		case <-done:
			t.leave(mine)
			return 0, 0, false
		}
	}
}

// unstall lets others in if no turn has ended since, and returns how many have now.
func (t *Turns) unstall(since int) (ended int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == since {
		t.ended++ // whoever looks next is to wait as long
		t.age++
		t.taken = 0
		t.stalls++
		t.serve()
	}
	return t.ended
}

// leave gives a place up, or the turn that came at the same time.
func (t *Turns) leave(mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var before *turn
	for at := t.first; at != nil; before, at = at, at.next {
		if at != mine {
			continue
		}
		if before == nil {
			t.first = at.next
		} else {
			before.next = at.next
		}
		if t.last == at {
			t.last = before
		}
		return
	}
	if mine.age == t.age { // it had been let in
		t.taken--
		t.serve()
	}
}
