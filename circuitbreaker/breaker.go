package circuitbreaker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/fifo"
	"github.com/amorsize/amorsize/internal/waiting"
)

// State is the state of a breaker.
type State int

const (
	// Closed lets all calls pass.
	Closed State = iota
	// Open lets no call pass.
	Open
	// HalfOpen lets a few calls pass to test whether the service answers again.
	HalfOpen
)

func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	}
	return "half-open"
}

// Breaker guards the calls of one service. It is safe for concurrent use, meant to be
// shared by all callers of that service, and has no goroutine.
type Breaker struct {
	// What a call through a closed breaker uses, without a lock and without a write.
	term     atomic.Pointer[term] // written under mu
	failures atomic.Int64         // in a row; written under mu
	usual    usual
	panics   callback.Panics

	p     Policy
	keyed bool // one of a Keyed

	mu        sync.Mutex
	openedAt  time.Time
	reopens   time.Duration // when an open breaker becomes half-open
	latest    error         // of the calls that failed or were slow
	successes int           // of probes, while half-open
	refuted   int           // probes that failed, while half-open
	probes    []*probe
	line      fifo.Line[waiter] // of waiting calls
	pending   []event           // callbacks to run after unlock
}

// term is the period from one change of state to the next.
type term struct {
	state    State
	window   *window // nil unless closed and a rate matters
	bypassed bool    // closed, and outcomes of calls don't count
}

// probe is a call that runs while the breaker is half-open.
type probe struct {
	ends time.Duration // when it loses its place
}

// pass is the permission of a call that was let through.
type pass struct {
	term  *term
	probe *probe
	timed bool
	begun time.Duration // if the call is timed
}

// New returns a closed breaker, or an [*InvalidError].
func New(p Policy) (*Breaker, error) {
	p, err := p.validate()
	if err != nil {
		return nil, err
	}
	b := &Breaker{p: p}
	b.usual.due.Store(true)
	b.begin(clock.Now(), Closed)
	return b, nil
}

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(p Policy) *Breaker {
	b, err := New(p)
	if err != nil {
		panic(err)
	}
	return b
}

// Do makes the call if it may pass, and returns the call's error. Otherwise it returns an
// [*OpenError] without making the call: at once, or after an unsuccessful wait.
func (b *Breaker) Do(ctx context.Context, call func(context.Context) error) (err error) {
	if err := checkCall(ctx, call); err != nil {
		return err
	}
	ends := ctx.Done() != nil // otherwise the context has neither an error nor a deadline
	if ends && ctx.Err() != nil {
		return contextError(ctx)
	}
	p := pass{term: b.term.Load()}
	if p.term.state != Closed {
		if p, err = b.enter(ctx); err != nil {
			waiting.Changed(ctx, (*told)(b))
			return err
		}
	} else if b.timed() || ends && limited(ctx) {
		p.timed, p.begun = true, clock.Now()
	}
	returned := false
	defer func() {
		if !returned {
			b.settle(ctx, p, ErrNoReturn)
		}
	}()
	err = call(ctx)
	returned = true
	if err != nil || !b.succeeded(&p) {
		err = answer.Plain(err)
		b.settle(ctx, p, err)
	}
	return err
}

// timed reports whether calls without a deadline must be timed.
func (b *Breaker) timed() bool { return b.p.SlowCall > 0 || b.usual.due.Load() }

func limited(ctx context.Context) bool {
	_, ok := ctx.Deadline()
	return ok
}

// succeeded counts a success without the lock. It is false if that might change more than
// counts.
func (b *Breaker) succeeded(p *pass) bool {
	if p.probe != nil || b.failures.Load() != 0 {
		return false
	}
	if !p.timed && p.term.window == nil {
		return true
	}
	now := clock.Now()
	if p.timed && b.p.SlowCall > 0 && now-p.begun >= b.p.SlowCall {
		return false
	}
	if p.term.window != nil && !p.term.window.success(now) {
		return false
	}
	if p.timed {
		b.usual.add(now - p.begun)
	}
	return true
}

// checkCall costs nothing if there is a context and a call: it is inlined.
func checkCall(ctx context.Context, call func(context.Context) error) error {
	if ctx != nil && call != nil {
		return nil
	}
	return missing(ctx)
}

func missing(ctx context.Context) error {
	if ctx == nil {
		return bad("ctx", nil, "a context")
	}
	return bad("call", nil, "a function")
}

// settle records the outcome of a call.
func (b *Breaker) settle(ctx context.Context, p pass, err error) {
	neutral, failed := b.judge(ctx, p, err)
	now := b.lock()
	defer b.tellOf(ctx, p.term) // without the lock
	defer b.unlock(now)
	if p.probe != nil && !b.leave(p.probe) {
		return // the probe has lost its place: nothing waits for it any more
	}
	if neutral || !b.current(p) {
		return
	}
	slow := b.p.SlowCall > 0 && now-p.begun >= b.p.SlowCall
	switch {
	case failed:
		b.latest = err
	case slow:
		b.latest = ErrSlow
	}
	if p.timed && !failed {
		b.usual.add(now - p.begun)
	}
	if p.term.state == HalfOpen {
		b.probed(now, failed || slow)
		return
	}
	b.counted(now, failed, slow)
}
