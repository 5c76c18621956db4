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
	passing  atomic.Uint64 // the generation while closed, or 0
	failures atomic.Int64  // in a row; written under mu

	mu         sync.Mutex
	state      State
	generation uint64 // of the state: from 1, and one more at each change
	openedAt   time.Time
	reopens    time.Duration // when an open breaker becomes half-open
	successes  int           // of probes
	probes     []*probe
	window     *window // nil if no rate matters
	line       []*waiter
	pending    []func() // callbacks to run after unlock
}

// probe is a call that runs while the breaker is half-open.
type probe struct {
	ends time.Duration // when it loses its place
}

// pass is what a call was let through with.
type pass struct {
	generation uint64
	probe      *probe
	begun      time.Duration // if slow calls count
}

// New returns a closed breaker, or an [*InvalidError].
func New(p Policy) (*Breaker, error) {
	p, err := p.validate()
	if err != nil {
		return nil, err
	}
	b := &Breaker{p: p, generation: 1}
	if p.FailureRate > 0 || p.SlowCallRate > 0 {
		b.window = newWindow(p.Window, clock.Now())
	}
	b.passing.Store(1)
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
	if ctx == nil || call == nil {
		return checkCall(ctx, call)
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	generation := b.passing.Load()
	if generation == 0 || b.window != nil {
		return b.guarded(ctx, call)
	}
	returned := false
	defer func() {
		if !returned {
			b.settle(ctx, pass{generation: generation}, ErrNoReturn)
		}
	}()
	err = call(ctx)
	returned = true
	if err != nil || b.failures.Load() != 0 {
		b.settle(ctx, pass{generation: generation}, err)
	}
	return err
}

// guarded is Do for all that needs the lock to pass.
func (b *Breaker) guarded(ctx context.Context, call func(context.Context) error) (err error) {
	p, err := b.enter(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned {
			err = ErrNoReturn
		}
		b.settle(ctx, p, err)
	}()
	err = call(ctx)
	returned = true
	return err
}

func checkCall(ctx context.Context, call func(context.Context) error) error {
	switch {
	case ctx == nil:
		return bad("ctx", nil, "a context")
	case call == nil:
		return bad("call", nil, "a function")
	}
	return nil
}

// settle takes note of what came of a call.
func (b *Breaker) settle(ctx context.Context, p pass, err error) {
	neutral, failed := b.judge(ctx, err)
	now := b.lock()
	defer b.unlock(now)
	if p.probe != nil && !b.leave(p.probe) {
		return // it has lost its place: nothing waits for it any more
	}
	if p.generation != b.generation || neutral {
		return
	}
	slow := b.p.SlowCall > 0 && now-p.begun >= b.p.SlowCall
	if b.state == HalfOpen {
		b.probed(now, failed || slow, reason(err, slow))
		return
	}
	if b.window != nil {
		b.window.count(now, tally{1, toInt(failed), toInt(slow)})
	}
	if failed {
		b.failures.Add(1)
	} else {
		b.failures.Store(0)
	}
	if failures, tripped := b.tripped(now, failed); tripped {
		b.open(now, failures, reason(err, slow))
	}
}

// judge says what an error means. Policy.IsFailure is called outside the lock.
func (b *Breaker) judge(ctx context.Context, err error) (neutral, failed bool) {
	switch {
	case err == nil:
		return false, false
	case errors.Is(err, ErrNoReturn):
		return false, true
	case errors.Is(ctx.Err(), context.Canceled):
		return true, false
	}
	if _, refused := answer.Refused(err); refused {
		return true, false
	}
	failed = true
	if b.p.IsFailure != nil {
		callback.Run(func() { failed = b.p.IsFailure(err) })
	}
	return false, failed
}

// reason is the error to tell of a call that failed or was slow.
func reason(err error, slow bool) error {
	if err == nil && slow {
		return ErrSlow
	}
	return err
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
	if b.window == nil {
		return 0, false
	}
	sum := b.window.total(now)
	if sum.calls < b.p.MinimumCalls {
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

// probed takes note of what came of a probe.
func (b *Breaker) probed(now time.Duration, failed bool, err error) {
	if failed {
		b.open(now, int(b.failures.Add(1)), err)
		return
	}
	if b.successes++; b.successes >= b.p.SuccessThreshold {
		b.close(now)
		b.tell(b.p.OnClose)
	}
}
