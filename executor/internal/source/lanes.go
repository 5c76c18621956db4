package source

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// Lines tells which line an item waits in: that of a host, a tenant, an API key. It calls
// the user's functions, and so under no lock.
type Lines interface {
	// Of returns the line of item i. It is false if i waits in none.
	Of(i int) (line uint64, ok bool)
	// Wait returns how long item i would be held back if its call began now.
	Wait(i int) time.Duration
}

// Lanes is a source of items that wait in lines of their own, beside another source that
// they come from. An item that would be held back is parked, and one of another line goes
// first: so it takes neither a worker nor the turn of others. Of each line one item at a
// time is on its way, until [Lanes.Passed] says that nothing holds it back any more; by
// that, what is asked about the next one is true. When one is done with, the next one is
// asked about again: it may have cost less than was thought.
//
// Workers that find nothing to do wait: one of them, the leader, for what comes first, the
// others for its place.
type Lanes struct {
	from  feed
	lines Lines

	idle    atomic.Int64  // workers that wait
	parked  atomic.Int64  // items
	changed chan struct{} // a token: there is news for the leader
	lead    chan struct{} // a token: there is no leader
	stop    sync.Once
	stopped chan struct{}

	mu    sync.Mutex
	lanes map[uint64]*lane
	due   laneHeap      // lanes with items of which none is on its way
	taken map[int]taken // items that have been claimed
	plain []int         // items that go unasked: see free
	spare []*lane       // to be used again
}

// NewLanes returns the items of from, which is [Slice] or [Arrivals], by their lines.
func NewLanes(from feed, lines Lines) *Lanes {
	l := &Lanes{
		from: from, lines: lines,
		changed: make(chan struct{}, 1), lead: make(chan struct{}, 1), stopped: make(chan struct{}),
		lanes: map[uint64]*lane{}, taken: map[int]taken{},
	}
	l.lead <- struct{}{}
	return l
}

// Take implements [Source]. It claims one item, whatever the size: those behind it may be
// for other lines.
func (l *Lanes) Take(_, workers int) (s Span, waited, ok bool) {
	for {
		if i, ok := l.next(workers); ok {
			return Span{i, i + 1}, waited, true
		}
		if !l.await() {
			return Span{}, waited, false
		}
		waited = true
	}
}

// next returns an item that nothing holds back, if there is one.
func (l *Lanes) next(workers int) (i int, ok bool) {
	for !l.over() {
		if n, first := l.open(clock.Now()); n != nil {
			if l.ask(n, first) {
				return first, true
			}
			continue
		}
		if i, ok = l.takePlain(); ok {
			return i, true
		}
		if i, ok = l.from.tryTake(workers); !ok || l.admit(i) {
			return i, ok
		}
	}
	return 0, false
}

// open takes a lane off those that are due, if one is: it is the caller's to ask.
func (l *Lanes) open(now time.Duration) (n *lane, first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) == 0 || l.due[0].at > now {
		return nil, 0
	}
	n = l.due.pop()
	return n, n.items.first()
}

// ask has the first item of n go, if nothing holds it back.
func (l *Lanes) ask(n *lane, first int) (goes bool) {
	asked, wait := false, time.Duration(0)
	defer func() {
		if !asked { // the user's function has ended this goroutine: the call will tell why
			l.passUnasked(n, first)
		}
	}()
	wait = l.lines.Wait(first)
	asked = true
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := clock.Now(); wait > 0 && (!n.asked || now < n.goes) {
		n.told(now, wait)
		l.park(n)
		return false
	}
	n.items.pop()
	n.asked = false
	l.unpark()
	l.taken[first] = taken{line: n.line}
	return true
}

// unpark counts an item that goes. If it is the last, the leader waits in vain.
func (l *Lanes) unpark() {
	if l.parked.Add(-1) == 0 {
		poke(l.changed)
	}
}

// admit has item i go, if nothing holds it back, and parks it if something does.
func (l *Lanes) admit(i int) (goes bool) {
	asked := false
	defer func() {
		if !asked { // as in ask
			l.mu.Lock()
			defer l.mu.Unlock()
			l.free(i)
		}
	}()
	line, ok := l.lines.Of(i)
	if asked = true; !ok {
		return true
	}
	n := l.enter(line, i)
	return n != nil && l.ask(n, i)
}

// enter puts item i at the end of its lane, and returns that if i is the first: it is the
// caller's to ask.
func (l *Lanes) enter(line uint64, i int) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parked.Add(1)
	n := l.lanes[line]
	if n == nil {
		n = l.newLane(line)
		n.items.push(i)
		return n
	}
	n.items.push(i)
	return nil
}

// newLane returns the lane of a line that has none. mu is held.
func (l *Lanes) newLane(line uint64) (n *lane) {
	if last := len(l.spare) - 1; last >= 0 {
		n, l.spare = l.spare[last], l.spare[:last]
	} else {
		n = &lane{place: -1}
	}
	n.line = line
	l.lanes[line] = n
	return n
}

// park has n be asked again in its time. mu is held.
func (l *Lanes) park(n *lane) {
	l.due.push(n)
	if n.place == 0 {
		poke(l.changed)
	}
}

// passUnasked has the first item of n go unasked, and the next one be asked about.
func (l *Lanes) passUnasked(n *lane, first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.items.pop()
	n.asked = false
	l.parked.Add(-1)
	l.free(first)
	l.leave(n)
}

// free has item i go unasked. mu is held.
func (l *Lanes) free(i int) {
	l.plain = append(l.plain, i)
	l.parked.Add(1)
	poke(l.changed)
}

func (l *Lanes) takePlain() (i int, ok bool) {
	if l.parked.Load() == 0 {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok = len(l.plain) > 0; ok {
		i, l.plain = l.plain[0], l.plain[1:]
		l.unpark()
	}
	return i, ok
}

// Passed tells that nothing holds item i back any more: the next one of its line may be asked
// about. It does nothing the second time.
func (l *Lanes) Passed(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.taken[i]; ok && !t.passed {
		l.taken[i] = taken{t.line, true}
		l.leave(l.lanes[t.line])
	}
}

// Done tells that item i is done with: the first one that waits in its line is asked about
// again.
func (l *Lanes) Done(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.taken[i]
	if !ok {
		return
	}
	delete(l.taken, i)
	n := l.lanes[t.line]
	switch {
	case !t.passed:
		l.leave(n)
	case n != nil && n.place >= 0: // else it is being asked about, or on its way
		n.at = clock.Now()
		l.due.sooner(n)
		if n.place == 0 {
			poke(l.changed)
		}
	}
}

// leave has the next item of n be asked about, if there is one. mu is held.
func (l *Lanes) leave(n *lane) {
	if n.items.empty() {
		delete(l.lanes, n.line)
		l.spare = append(l.spare, n)
	} else {
		n.at = clock.Now()
		l.park(n)
	}
}

// Return implements [Source].
func (l *Lanes) Return(s Span) {
	for i := s.Lo; i < s.Hi; i++ {
		l.Done(i)
	}
	l.from.Return(s)
	poke(l.changed)
}
