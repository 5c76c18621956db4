package executor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// callContext is the context for the calls of one worker. Policies notify it when they
// hold a call back, anywhere inside the function: such a call is not in flight, and its
// waiting time is not the service's latency.
//
// It is not reused: a function may keep its context for longer than the call.
type callContext struct {
	context.Context          // the run's
	session         *Session // of the run, or nil
	function        function // of the run
	tally           *tally   // counts waits and policies

	held    atomic.Bool // the current call is being held back
	touched atomic.Bool // it is, or was

	mu   sync.Mutex
	call uint64 // tickets of other calls are stale
	hold
	observed
	turn
}

// hold is what holds the current call back, and has held it back.
type hold struct {
	holders int // goroutines of the call that are held back
	line    waiting.Line
	since   time.Duration
	waited  time.Duration // of this call, before since
}

// observed is the attempt that a tracker is told of.
type observed struct {
	tracker *flight.Tracker // nil before there is one
	attempt *flight.Attempt
	paused  flight.Paused // the attempt that the hold interrupted
	pacer   *pacer        // reviews the run soon when a hold begins
}

// turn is the worker's turn where runs share a limit.
type turn struct {
	turns  *flight.Turns // where it has a turn, or will have one again when it resumes; or nil
	age    int64
	parted bool // the worker has left: it takes no turn
}

func newCallContext(run context.Context, cfg *Config) *callContext {
	return &callContext{Context: run, session: cfg.Session, function: cfg.function, tally: cfg.tally}
}

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	switch key := key.(type) {
	case waiting.Key:
		return c
	case sessionKey:
		if key.session == c.session {
			return c
		}
	case functionKey:
		if key.function == c.function {
			return c
		}
	}
	return c.Context.Value(key)
}

// sessionKey finds, from a context, the call of the session that it was made in.
type sessionKey struct{ session *Session }

// HoldBegins implements [waiting.Listener].
func (c *callContext) HoldBegins(line waiting.Line) (ticket uint64) {
	c.tally.meets(line)
	now := clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders++; c.holders == 1 {
		c.touched.Store(true)
		c.held.Store(true)
		c.since, c.line = now, line
		if c.tracker != nil {
			c.paused = c.tracker.Pause(c.attempt, now)
			c.attempt.TookTurn(0)
			c.pacer.stir()
		}
		if c.turns != nil {
			c.turns.Give(c.age)
		}
	}
	return c.call
}

// HoldEnds implements [waiting.Listener].
func (c *callContext) HoldEnds(ticket uint64) {
	now := clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if ticket != c.call || c.holders == 0 {
		return
	}
	if c.holders--; c.holders == 0 {
		c.goOn(now)
	}
}

// Changed implements [waiting.Audience].
func (c *callContext) Changed(p waiting.Policy) { c.tally.look(p) }

// goOn ends a hold: the call resumes. mu is held.
func (c *callContext) goOn(now time.Duration) {
	c.waited += now - c.since
	c.tally.waited(c.line.By, now-c.since)
	c.held.Store(false)
	if c.turns != nil { // no wait for a turn: the call already has a token
		c.age = c.turns.Force()
	}
	if c.paused.Items() > 0 {
		c.tracker.Resume(c.attempt, now, c.paused)
		c.paused = flight.Paused{}
	}
}

// settle ends the call and returns how long it was held back. A goroutine that the
// function left behind and that is still held back does not count for the next call. For
// a nil callContext it returns 0.
func (c *callContext) settle() time.Duration {
	if c == nil || !c.touched.Load() {
		return 0
	}
	now := clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.call++
	if c.holders > 0 {
		c.holders = 0
		c.goOn(now)
	}
	waited := c.waited
	c.waited = 0
	c.touched.Store(false)
	return waited
}

// heldFor returns how long the current call has been held back until now.
func (c *callContext) heldFor(now time.Duration) time.Duration {
	if c == nil || !c.touched.Load() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waited := c.waited
	if c.holders > 0 {
		waited += now - c.since
	}
	return waited
}

// waitsIn returns the line that the call waits in, if it is held back.
func (c *callContext) waitsIn() (waiting.Line, bool) {
	if c == nil || !c.held.Load() {
		return waiting.Line{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line, c.holders > 0
}

// watch makes holds of the attempt known to a tracker and the pacer.
func (c *callContext) watch(t *flight.Tracker, attempt *flight.Attempt, p *pacer) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracker, c.attempt, c.pacer = t, attempt, p
}

// takesTurn notes that the worker has a turn, and its age. endsTurn notes that it has
// none, and returns the one it had.
func (c *callContext) takesTurn(of *flight.Turns, age int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns != nil { // one was forced meanwhile
		c.turns.Give(c.age)
	}
	c.turns, c.age, c.parted = of, age, false
}

// forcesTurn takes a turn for the current call, or makes it take one when it resumes.
func (c *callContext) forcesTurn(of *flight.Turns) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns != nil || c.parted {
		return
	}
	if c.turns = of; c.holders == 0 {
		c.age = of.Force()
	}
}

func (c *callContext) endsTurn() (of *flight.Turns, age int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, age = c.turns, c.age
	c.turns = nil
	return of, age
}

// hasTurn reports whether the worker has a turn.
func (c *callContext) hasTurn() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turns != nil
}

// part notes that the worker leaves.
func (c *callContext) part() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parted = true
}
