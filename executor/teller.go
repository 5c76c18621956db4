package executor

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
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
	// Patience is how long the end of a run waits for one call of a listener.
	Patience = 2 * time.Second

	never = time.Duration(math.MaxInt64)
)

// teller is the state of the telling.
type teller struct {
	awake    bool          // the timer may be set
	timer    *time.Timer   // starts a goroutine that tells what is due
	alarm    time.Duration // for when it is set, never if it is not
	telling  bool          // somebody calls listeners
	began    atomic.Int64  // when the call under way was begun, or the latest
	closing  bool          // the run is over: what is left is told at the end of it
	given    bool          // up: a listener does not return, and nobody is told any more
	awaited  bool          // somebody waits for the telling
	over     bool          // the end is among what is to be told: nothing comes behind it
	last     bool          // the progress function has been told it
	notice   *notice       // being told, to the listeners from that one on: one may end the goroutine
	listener int
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
	case e.teller.notice != nil: // a listener has ended the goroutine in the midst of it
		return now
	case waiting > 0:
		at = now + tellAfter
	}
	return min(at, e.progressDue())
}

// progressDue returns when progress is to be told next: when there is some and the
// interval is over, or after a heartbeat. All being done is left to the end. mu is held.
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
	e.await(func() bool { return !t.telling && t.alarm == never }) // the latter: the timer has started it
}

// await waits until done, or until a call of a listener has taken too long: then it is given up.
// mu is held, but not while it waits.
func (e *events) await(done func() bool) {
	t := &e.teller
	if done() || t.given {
		return
	}
	t.began.Store(int64(clock.Now()))
	t.awaited = true
	defer func() { t.awaited = false }()
	var watch *time.Timer
	watch = time.AfterFunc(Patience, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !t.awaited || done() {
			return
		}
		if left := Patience - (clock.Now() - time.Duration(t.began.Load())); left > 0 {
			watch.Reset(left)
			return
		}
		t.given = true
		t.quiet.Broadcast()
	})
	defer watch.Stop()
	for !done() && !t.given {
		t.quiet.Wait()
	}
}

// finish tells what has not been told, but no more than fast listeners can be told in a moment
// and the others must know; and then the end, if there is a report. It comes after close. It
// returns what is to be added to the report, since a listener that does not return has that.
//
// It is done by a goroutine of its own, and by another one if a listener ends that.
func (e *events) finish(r *Report) (late []string) {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	steps := []func(){e.drain}
	if r != nil {
		p := new(Progress)
		steps = append(steps, func() { e.end(r, p) }, e.drainAll, func() { e.tellLast(p) })
	}
	for at := 0; at < len(steps) && !e.teller.given; {
		ended := false
		go func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			defer func() {
				ended = true
				e.teller.quiet.Broadcast()
			}()
			for ; at < len(steps) && !e.teller.given; at++ {
				steps[at]()
			}
		}()
		e.await(func() bool { return ended })
	}
	if e.teller.given {
		late = []string{fmt.Sprintf("a listener has not returned for %v: nobody was told any more", Patience)}
	}
	return late
}

// drain tells what is left. mu is held.
func (e *events) drain() {
	began := clock.Now()
	e.tellDue(func(now time.Duration) bool {
		if e.teller.slow >= 2 || now-began > farewell {
			e.backlog.trim()
		}
		return false
	})
}

// drainAll tells all that is left. mu is held.
func (e *events) drainAll() { e.tellDue(func(time.Duration) bool { return false }) }

// end has the end be told: p is how the run went. mu is held.
func (e *events) end(r *Report, p *Progress) {
	r.Dropped = e.backlog.numbered - e.backlog.told
	r.Warnings = append(r.Warnings, e.trouble.warnings()...)
	now := clock.Now()
	calls := r.Calls
	*p = e.lookAround(now, &calls)
	p.Over = true
	if len(e.observers) > 0 && e.teller.slow < 2 { // the report says as much
		e.add(notice{event: Event{Kind: Progressed, Progress: p}}, now)
	}
	if e.log != nil || len(e.observers) > 0 {
		e.add(notice{event: Event{Kind: Finished, Plan: &r.Plan, Report: r}, message: "done"}, now)
	}
	e.teller.over = true // a goroutine that the function has left behind may have news still
}

// tellLast tells the progress function the end, once. mu is held.
func (e *events) tellLast(p *Progress) {
	tell := e.progress
	if tell != nil && !e.teller.last {
		e.teller.last = true
		last := *p
		last.Elapsed = clock.Now() - e.start
		e.call(func() { e.guarded(func() { tell(last) }) })
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
			e.teller.turn = 2*clock.Now() - now // as long as that took: neither starves the other
		} else if e.nextNotice() {
			e.call(e.deliver)
			e.teller.notice = nil
		} else {
			return
		}
		now = clock.Now()
	}
}

// nextNotice reports whether there is a notice to be told: one that was not told to all, or the
// next. mu is held.
func (e *events) nextNotice() bool {
	t := &e.teller
	if t.notice != nil {
		return true
	}
	n, ok := e.backlog.next()
	if !ok {
		return false
	}
	n.event.Dropped = n.number - e.backlog.latest - 1
	e.backlog.told, e.backlog.latest = e.backlog.told+1, n.number
	t.notice, t.listener = &n, 0
	return true
}

// tellProgress tells the state of things. mu is held.
func (e *events) tellProgress(now time.Duration) {
	e.teller.progress = now
	e.fresh.Store(false) // before the count: what comes meanwhile is fresh
	p := e.lookAround(now, nil)
	if len(e.observers) > 0 {
		e.add(notice{event: Event{Kind: Progressed, Progress: &p}}, now)
	}
	if e.progress != nil {
		e.call(func() { e.guarded(func() { e.progress(p) }) })
	}
}

// lookAround returns the state of things: see state. mu is held, but not while policies are asked for theirs.
func (e *events) lookAround(now time.Duration, calls *Calls) Progress {
	e.mu.Unlock()
	policies := e.tally.lookAll()
	e.mu.Lock()
	e.lookAtKeeper(now)
	return e.state(now, calls, policies)
}

// call calls listeners, guarded, without the lock, and takes it again, whatever happens.
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
