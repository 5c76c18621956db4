package circuitbreaker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/fifo"
)

// State is that of a breaker.
type State int

const (
	// Closed lets calls pass.
	Closed State = iota
	// Open lets none pass.
	Open
	// HalfOpen lets a few pass to find out whether the service is back.
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

// Breaker guards the calls of one service. It is safe for concurrent use, meant
// to be shared by all who call that service, and has no goroutine.
type Breaker struct {
	p Policy

	// What a call through a closed breaker needs: no lock, and no write.
	term     atomic.Pointer[term] // written under mu
	failures atomic.Int64         // in a row; written under mu
	usual    usual
	panics   callback.Panics

	mu        sync.Mutex
	openedAt  time.Time
	reopens   time.Duration // when an open breaker becomes half-open
	latest    error         // of the calls that failed or were slow
	successes int           // of probes
	probes    []*probe
	line      fifo.Line[waiter] // of those who wait
	pending   []event           // callbacks to run after unlock
}

// term is the time from one change of state to the next.
type term struct {
	state  State
	window *window // nil unless closed and a rate matters
}

// probe is a call that runs while the breaker is half-open.
type probe struct {
	ends time.Duration // when it loses its place
}

// pass is what a call was let through with.
type pass struct {
	term  *term
	probe *probe
	timed bool
	begun time.Duration // if timed
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

// Do makes the call if it may pass, and returns what it returned. Else it returns
// an [*OpenError] and doesn't make the call: at once, or having waited in vain.
func (b *Breaker) Do(ctx context.Context, call func(context.Context) error) (err error) {
	if err := checkCall(ctx, call); err != nil {
		return err
	}
	ends := ctx.Done() != nil // else there is neither an error nor a deadline to ask for
	if ends && ctx.Err() != nil {
		return contextError(ctx)
	}
	p := pass{term: b.term.Load()}
	if p.term.state != Closed {
		if p, err = b.enter(ctx); err != nil {
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

// timed reports whether it matters how long a call takes that has no deadline.
func (b *Breaker) timed() bool { return b.p.SlowCall > 0 || b.usual.due.Load() }

func limited(ctx context.Context) bool {
	_, ok := ctx.Deadline()
	return ok
}

// succeeded takes note of a success without the lock. It is false if that might
// change more than counts.
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

// checkCall costs nothing where there is a context and a call: it is inlined.
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

// settle takes note of what came of a call.
func (b *Breaker) settle(ctx context.Context, p pass, err error) {
	neutral, failed := b.judge(ctx, p, err)
	now := b.lock()
	defer b.unlock(now)
	if p.probe != nil && !b.leave(p.probe) {
		return // it has lost its place: nothing waits for it any more
	}
	if p.term != b.term.Load() || neutral {
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

// judge says what an error means. Policy.IsFailure is called outside the lock.
func (b *Breaker) judge(ctx context.Context, p pass, err error) (neutral, failed bool) {
	switch {
	case err == nil:
		return false, false
	case errors.Is(err, ErrNoReturn):
		return false, true
	case errors.Is(ctx.Err(), context.Canceled):
		return true, false
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && p.timed && b.usual.exceeds(clock.Now()-p.begun):
		return true, false
	}
	if _, refused := answer.Refused(err); refused { // also within the function: it was not the service
		return true, false
	}
	if b.p.IsNeutral != nil {
		b.panics.Run("circuitbreaker.Policy.IsNeutral", func() { neutral = b.p.IsNeutral(err) })
		if neutral {
			return true, false
		}
	}
	failed = true
	if says, said := answer.Failure(err); said {
		failed = says
	}
	if b.p.IsFailure != nil {
		failed = true
		b.panics.Run("circuitbreaker.Policy.IsFailure", func() { failed = b.p.IsFailure(err) })
	}
	return false, failed
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tripped reports whether a closed breaker is to open, and with how many failures.
func (b *Breaker) tripped(now time.Duration, failed bool) (int, bool) {
	if in := int(b.failures.Load()); failed && in >= b.p.FailureThreshold {
		return in, true
	}
	w := b.term.Load().window
	if w == nil {
		return 0, false
	}
	sum := w.total(now)
	few := sum.calls < b.p.MinimumCalls
	w.watched.Store(few && (sum.failures > 0 || sum.slow > 0))
	if few {
		return 0, false
	}
	calls := float64(sum.calls)
	switch {
	case b.p.FailureRate > 0 && float64(sum.failures) >= b.p.FailureRate*calls:
		return sum.failures, true
	case b.p.SlowCallRate > 0 && float64(sum.slow) >= b.p.SlowCallRate*calls:
		return sum.failures, true
	}
	return 0, false
}

// counted takes note of what came of a call through the closed breaker.
func (b *Breaker) counted(now time.Duration, failed, slow bool) {
	if failed {
		b.failures.Add(1)
	} else {
		b.failures.Store(0)
	}
	if w := b.term.Load().window; w != nil {
		w.count(now, tally{1, toInt(failed), toInt(slow)})
	}
	if failures, tripped := b.tripped(now, failed); tripped {
		b.open(now, failures)
	}
}

// probed takes note of what came of a probe.
func (b *Breaker) probed(now time.Duration, failed bool) {
	if failed {
		b.open(now, int(b.failures.Add(1)))
		return
	}
	if b.successes++; b.successes >= b.p.SuccessThreshold {
		b.close(now)
	}
}
