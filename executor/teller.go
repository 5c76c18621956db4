package executor

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

const (
	// tellAfter is how long a notice may wait for others, so that a short run needs no timer and a long one
	// starts no goroutine for every chunk.
	tellAfter = time.Millisecond
	// tellAtOnce is how many waiting notices are delivered without waiting for more.
	tellAtOnce = 128
	// heartbeat is the time after which progress is sent even if nothing was completed; the interval of
	// progress is used if that is longer.
	heartbeat = time.Second
	// slowCall is the time for a notice above which a listener counts as slow. farewell is how long remaining
	// notices are delivered to fast listeners when the run ends.
	slowCall = time.Millisecond
	farewell = 100 * time.Millisecond
	// Patience is how long the end of a run waits for one call of a listener.
	Patience = 2 * time.Second

	never = time.Duration(math.MaxInt64)
)

// teller is the state of the delivery.
type teller struct {
	awake    bool          // the timer may be set
	timer    *time.Timer   // starts a goroutine that delivers what is due
	alarm    time.Duration // when the timer fires, never if it is not set
	telling  bool          // a goroutine is calling listeners
	began    atomic.Int64  // when the current or latest call began
	closing  bool          // the run has ended: its end delivers the rest
	given    bool          // given up: a listener does not return, and nothing more is delivered
	awaited  bool          // a goroutine waits for the delivery
	over     bool          // the end is queued: nothing follows it
	last     bool          // the progress function has received the end
	midway   bool          // within a notice: it is being delivered, or a listener ended the goroutine during it
	notice   notice        // that one
	listener int           // index of the listener that receives it next
	quiet    sync.Cond     // the goroutine has ended
	progress time.Duration // when progress was last sent
	turn     time.Duration // notices have precedence until then
	slow     int           // consecutive slow calls
}

// wake makes notices be delivered soon, and not only at the end.
func (e *events) wake() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.teller.awake = true
	e.schedule(clock.Now())
}

// due returns when something is to be delivered next. mu is held.
func (e *events) due(now time.Duration) time.Duration {
	at := never
	switch waiting := e.backlog.len(); {
	case waiting >= tellAtOnce:
		return now
	case e.teller.midway:
		return now
	case waiting > 0:
		at = now + tellAfter
	}
	return min(at, e.progressDue())
}

// progressDue returns when progress is to be sent next: when there is some and the interval has passed, or
// after a heartbeat. Completion is left to the end. mu is held.
func (e *events) progressDue() time.Duration {
	if !e.beats() || int(e.completed.Load()) == e.items() {
		return never
	}
	pause := max(heartbeat, e.interval)
	if e.fresh.Load() {
		pause = e.interval
	}
	if at := e.teller.progress + pause; at > e.teller.progress {
		return at
	}
	return never // centuries away
}

// schedule sets the timer for what is due next. mu is held.
func (e *events) schedule(now time.Duration) {
	t := &e.teller
	at := e.due(now)
	if !t.awake || t.telling || t.closing || t.given || at >= t.alarm {
		return
	}
	t.alarm = at
	if t.timer == nil {
		t.timer = time.AfterFunc(max(0, at-now), e.ring)
	} else {
		t.timer.Reset(max(0, at-now))
	}
}

// ring is called by the timer, in its own goroutine: it delivers what is due.
func (e *events) ring() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.teller.alarm = never
	e.teller.quiet.Broadcast()
	if !e.teller.telling && !e.teller.closing {
		e.tellDue(func(time.Duration) bool { return e.teller.closing })
	}
}

// tellDue calls listeners until nothing is due or enough says so. mu is held, but not
// while they are called.
func (e *events) tellDue(enough func(now time.Duration) bool) {
	e.teller.telling = true
	defer func() {
		e.teller.telling = false
		e.teller.quiet.Broadcast()
		e.schedule(clock.Now())
	}()
	for now := clock.Now(); !e.teller.given && !enough(now); {
		if !e.teller.closing && e.progressDue() <= now && (e.teller.turn <= now || e.backlog.len() == 0) {
			e.tellProgress(now)
			e.teller.turn = 2*clock.Now() - now // for as long as that took: neither starves the other
		} else if e.nextNotice() {
			e.call(e.deliver)
			e.teller.midway, e.teller.notice = false, notice{}
		} else {
			return
		}
		now = clock.Now()
	}
}

// nextNotice reports whether there is a notice to deliver: one that not all listeners have received, or the
// next. mu is held.
func (e *events) nextNotice() bool {
	t := &e.teller
	if t.midway {
		return true
	}
	if t.notice, t.midway = e.backlog.next(); !t.midway {
		return false
	}
	n := &t.notice
	n.event.Dropped = n.number - e.backlog.latest - 1
	e.backlog.told, e.backlog.latest = e.backlog.told+1, n.number
	t.listener = 0
	return true
}

// tellProgress sends the state of the run. mu is held.
func (e *events) tellProgress(now time.Duration) {
	e.teller.progress = now
	e.fresh.Store(false) // before counting: later completions set it again
	p := e.lookAround(now, nil)
	if len(e.observers) > 0 {
		e.add(notice{event: Event{Kind: Progressed, Progress: &p}}, now)
	}
	if e.progress != nil {
		e.call(func() { e.guarded(func() { e.progress(p) }) })
	}
}

// lookAround returns the state of the run: see state. mu is held, but not while policies are asked for
// theirs.
func (e *events) lookAround(now time.Duration, calls *Calls) Progress {
	e.mu.Unlock()
	policies := e.tally.lookAll()
	e.mu.Lock()
	e.lookAtKeeper(now)
	return e.state(now, calls, policies)
}

// call calls listeners, guarded, without the lock. It always takes the lock again.
func (e *events) call(listener func()) {
	began := clock.Now()
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		if clock.Now()-began > slowCall {
			e.teller.slow++
		} else {
			e.teller.slow = 0
		}
	}()
	listener()
}
