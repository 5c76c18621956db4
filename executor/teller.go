package executor

import (
	"math"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

const (
	// tellAfter is how long news may wait for more, so that a short run needs no
	// timer and a long one starts no goroutine for every chunk.
	tellAfter = time.Millisecond
	// tellAtOnce is how many notices do not wait any longer.
	tellAtOnce = 128
	// heartbeat is after what time progress is told although there is none, at the
	// interval of progress if that is longer.
	heartbeat = time.Second
	// slowCall is what a listener may take for a notice without it being slow, and
	// farewell how long fast listeners are told what they have not been told when the
	// run ends.
	slowCall = time.Millisecond
	farewell = 100 * time.Millisecond

	never = time.Duration(math.MaxInt64)
)

// teller is the state of the telling.
type teller struct {
	awake    bool          // the timer may be set
	timer    *time.Timer   // starts a goroutine that tells what is due
	alarm    time.Duration // for when it is set, never if it is not
	telling  bool          // somebody calls listeners
	closing  bool          // the run is over: its caller tells the rest
	quiet    sync.Cond     // the goroutine has ended
	progress time.Duration // when progress was last told
	turn     time.Duration // of the notices, until then
	slow     int           // calls in a row that were slow
}

// wake has news told soon, and not only at the end.
func (e *events) wake() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.teller.awake = true
	e.schedule(clock.Now())
}

// due returns when there is something to tell next. mu is held.
func (e *events) due(now time.Duration) time.Duration {
	at := never
	switch waiting := e.backlog.len(); {
	case waiting >= tellAtOnce:
		return now
	case waiting > 0:
		at = now + tellAfter
	}
	return min(at, e.progressDue())
}

// progressDue returns when progress is to be told next: when there is some and the
// interval is over, or after a heartbeat. All being done is left to the end. mu is held.
func (e *events) progressDue() time.Duration {
	if e.progress == nil || int(e.completed.Load()) == e.total {
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
	if !t.awake || t.telling || t.closing || at >= t.alarm {
		return
	}
	t.alarm = at
	if t.timer == nil {
		t.timer = time.AfterFunc(max(0, at-now), e.ring)
	} else {
		t.timer.Reset(max(0, at-now))
	}
}

// ring is called by the timer, in a goroutine of its own: it tells what is due.
func (e *events) ring() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.teller.alarm = never
	e.teller.quiet.Broadcast()
	if !e.teller.telling && !e.teller.closing {
		e.tellDue(func(time.Duration) bool { return e.teller.closing })
	}
}

// close keeps the timer from starting anything, and waits for a listener's call
// that is under way.
func (e *events) close() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.teller
	t.closing = true
	if t.timer != nil && t.timer.Stop() {
		t.alarm = never
	}
	for t.telling || t.alarm != never { // the latter: the timer has started it
		t.quiet.Wait()
	}
}

// drain closes and tells what has not been told, but no more than fast listeners
// can be told in a moment and the others must know.
func (e *events) drain() {
	if e == nil {
		return
	}
	e.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	began := clock.Now()
	e.tellDue(func(now time.Duration) bool {
		if e.teller.slow >= 2 || now-began > farewell {
			e.backlog.trim()
		}
		return false
	})
}

// tellDue calls listeners until nothing is due or enough says so. mu is held, but not
// while they are called; it is held again even if one of them ends the goroutine.
func (e *events) tellDue(enough func(now time.Duration) bool) {
	e.teller.telling = true
	defer func() {
		e.teller.telling = false
		e.teller.quiet.Broadcast()
		e.schedule(clock.Now())
	}()
	for now := clock.Now(); !enough(now); {
		began := now
		if !e.teller.closing && e.progressDue() <= now && (e.teller.turn <= now || e.backlog.len() == 0) {
			e.tellProgress(now)
			e.teller.turn = 2*clock.Now() - now // as long as that took: neither starves the other
		} else if n, ok := e.backlog.next(); ok {
			n.event.Dropped = n.number - e.backlog.latest - 1
			e.backlog.told, e.backlog.latest = e.backlog.told+1, n.number
			e.call(func() { e.deliver(&n) })
		} else {
			return
		}
		if now = clock.Now(); now-began > slowCall {
			e.teller.slow++
		} else {
			e.teller.slow = 0
		}
	}
}

// tellProgress tells the state of things. mu is held.
func (e *events) tellProgress(now time.Duration) {
	e.teller.progress = now
	e.fresh.Store(false) // before the count: what comes meanwhile is fresh
	p := e.state(now)
	e.call(func() { e.progress(p) })
}

// call calls a listener without the lock, and takes it again, whatever happens. A
// panic goes no further than to whoever is to hear of it.
func (e *events) call(listener func()) {
	returned := false
	e.mu.Unlock()
	defer func() {
		if !returned {
			e.fail(recover())
		}
		e.mu.Lock()
	}()
	listener()
	returned = true
}

// fail takes note that a listener panicked with v or, with nil, called Goexit.
func (e *events) fail(v any) {
	var panicked *PanicError
	if v != nil {
		panicked = asPanic(v)
	}
	e.mu.Lock()
	if !e.failure.failed {
		e.failure.failed, e.failure.panicked = true, panicked
	}
	run := e.failure.run
	e.mu.Unlock()
	run.listenerFailed(panicked)
}
