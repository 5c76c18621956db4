package executor

import (
	"fmt"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// How notification ends: a separate goroutine delivers the remaining notices, and then the end.

// close keeps the timer from starting anything, and waits for a running call of a listener.
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
	e.await(func() bool { return !t.telling && t.alarm == never }) // otherwise the timer has just started it
}

// await waits until done, or until a call of a listener has taken too long: then it gives up. mu
// is held, but not while it waits.
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

// finish delivers the remaining notices, then the end if there is a report. Expendable notices
// are delivered only for a short time, and to fast listeners. It is called after close. It
// returns warnings instead of adding them to the report, since a listener that does not return
// still holds the report.
//
// A separate goroutine does it, and another one if a listener ends that goroutine.
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
		late = []string{fmt.Sprintf("a listener did not return for %v: no more events were delivered", Patience)}
	}
	return late
}

// drain delivers the remaining notices. mu is held.
func (e *events) drain() {
	began := clock.Now()
	e.tellDue(func(now time.Duration) bool {
		if e.teller.slow >= 2 || now-began > farewell {
			e.backlog.trim()
		}
		return false
	})
}

// drainAll delivers all remaining notices. mu is held.
func (e *events) drainAll() { e.tellDue(func(time.Duration) bool { return false }) }

// end adds the end of the run: p is the final progress. mu is held.
func (e *events) end(r *Report, p *Progress) {
	r.Dropped = e.backlog.numbered - e.backlog.told
	r.Warnings = append(r.Warnings, e.trouble.warnings()...)
	now := clock.Now()
	calls := r.Calls
	*p = e.lookAround(now, &calls)
	p.Over = true
	if len(e.observers) > 0 && e.teller.slow < 2 { // the report says the same
		e.add(notice{event: Event{Kind: Progressed, Progress: p}}, now)
	}
	if e.log != nil || len(e.observers) > 0 {
		e.add(notice{event: Event{Kind: Finished, Plan: &r.Plan, Report: r}, message: "done"}, now)
	}
	e.teller.over = true // a goroutine that the function left behind may still cause notices
}

// tellLast makes the last call of the progress function, once. mu is held.
func (e *events) tellLast(p *Progress) {
	tell := e.progress
	if tell != nil && !e.teller.last {
		e.teller.last = true
		last := *p
		last.Elapsed = clock.Now() - e.start
		e.call(func() { e.guarded(func() { tell(last) }) })
	}
}
