package transport

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// errOvertaken ends the losing request of a race.
var errOvertaken = errors.New("transport: the other request was answered first")

// race is an attempt at a request, and a second one if it takes long. The first runs in the
// caller's goroutine, the second in its own. The first answer wins.
//
//	run → sent: the request goes out, the timer is set
//	  the timer fires, in its own goroutine: again (a second request)
//	    it succeeds first: wins the race, and ends the first request
//	  the first request ends: settle
type race struct {
	first  *exchange
	hedger *hedger
	host   string
	ctx    context.Context         // of the attempt
	end    context.CancelCauseFunc // of the first request
	isSent bool                    // the first request was sent
	began  time.Duration           // when

	mu        sync.Mutex
	timer     *time.Timer
	over      bool                    // one has won, or there will be no second request
	second    *exchange               // nil if there is none
	endSecond context.CancelCauseFunc // of its request
	sentTwice bool                    // the second one was sent: it no longer waits for a limit
	done      chan struct{}           // closed when it has ended
	won       bool                    // by the second one
}

// hedged makes a call that sends a request, and another one if it takes long.
func (x *exchange) hedged(ctx context.Context, host string, call func(context.Context) error) error {
	x.onSend = nil
	if !idempotent(x.req) || !x.repeatable() {
		return call(ctx)
	}
	e := x.t.hedgers.Use(host)
	if e == nil { // there are too many hosts: nothing is known of this one
		return call(ctx)
	}
	defer x.t.hedgers.Done(e)
	r := &race{first: x, hedger: e.Value, host: host, ctx: ctx}
	x.onSend = r.sent
	return r.run(call)
}

func (r *race) run(call func(context.Context) error) error {
	ctx, end := context.WithCancelCause(r.ctx)
	r.end = end
	defer end(nil)
	settled := false
	defer func() {
		if !settled { // a panic
			r.give()
		}
	}()
	err := call(ctx)
	if r.isSent {
		r.hedger.answered(clock.Now() - r.began)
	}
	err = r.settle(err)
	settled = true
	return err
}

// sent is called when the first request goes out.
func (r *race) sent() {
	r.isSent, r.began = true, clock.Now()
	delay := r.hedger.begin()
	r.mu.Lock()
	defer r.mu.Unlock()
	if delay > 0 {
		r.timer = time.AfterFunc(delay, r.again)
	}
}

// give ends the race: the second request, if there is one, has lost.
func (r *race) give() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.second != nil {
		r.endSecond(errOvertaken)
	}
}

// settle returns the outcome of the race; err is that of the first request.
func (r *race) settle(err error) error {
	r.mu.Lock()
	waits := err != nil && r.sentTwice
	r.mu.Unlock()
	if waits { // the second one may still succeed
		<-r.done
	}
	r.give()
	r.mu.Lock()
	won := r.won
	r.mu.Unlock()
	if !won {
		return err
	}
	r.first.discard()
	r.first.resp = r.second.resp
	return nil
}

// again sends the second request, if the race is still open and one is allowed.
func (r *race) again() {
	call, ctx := r.beginSecond()
	if call == nil {
		return
	}
	err := errNoResponse
	defer func() { r.endedSecond(err) }()
	// No caller can catch a panic here: it is logged, and the request has lost.
	r.first.t.panics.Run("transport.Config.Base, of a second request", func() { err = call(ctx) })
}

// beginSecond returns the call that sends the second request, nil if there must be none.
func (r *race) beginSecond() (call func(context.Context) error, ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || !r.hedger.spend() {
		return nil, nil
	}
	r.first.t.hedges.Add(1)
	ctx, r.endSecond = context.WithCancelCause(r.ctx)
	r.second = &exchange{t: r.first.t, req: r.first.req, sent: true, onSend: r.sentAgain}
	r.done = make(chan struct{})
	return r.second.limited(r.host), ctx
}

// sentAgain is called when the second request goes out.
func (r *race) sentAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sentTwice = true
}

// endedSecond decides the race if the second request has succeeded before the first.
func (r *race) endedSecond(err error) {
	r.mu.Lock()
	won := err == nil && r.second.resp != nil && !r.over
	if won {
		r.over, r.won = true, true
		r.first.t.overtook.Add(1)
		r.end(errOvertaken)
	}
	close(r.done)
	r.mu.Unlock()
	r.endSecond(nil)
	if !won {
		r.second.discard()
	}
}
