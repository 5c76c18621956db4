package concurrency

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/fifo"
)

// Limiter limits how many calls to a service are in flight, and finds that limit itself.
// It is safe for concurrent use, meant to be shared by all callers of that service, and
// has no goroutine. A call that need not wait costs two readings of the clock and two
// locks, and allocates nothing.
type Limiter struct {
	p      Policy
	keyed  bool // one of a Keyed
	panics callback.Panics

	mu      sync.Mutex
	law     adaptive.Law
	limit   int   // of the controller: see follow
	epoch   int64 // of the controller, when limit was read
	flight  flight
	line    fifo.Line[chan Permit] // of waiting calls
	usual   time.Duration          // mean time of a call at the latest review; 0 before the first
	told    time.Duration          // the latest time at which a refused call was told to come back
	used    time.Duration          // when a call ended last
	wanted  bool                   // a call found no room since the latest review
	changes []Change               // to be reported without the lock
}

// New returns a limiter, or an [*InvalidError].
func New(p Policy) (*Limiter, error) {
	p, err := p.validate()
	if err != nil {
		return nil, err
	}
	return newLimiter(p, adaptive.New(clock.Now(), adaptive.Start{
		First: p.Initial, Floor: p.Min, Ceiling: p.Max, Together: true,
	})), nil
}

func newLimiter(p Policy, law adaptive.Law) *Limiter {
	l := &Limiter{p: p, law: law, limit: law.Limit(), epoch: law.Epoch()}
	l.observe()
	return l
}

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(p Policy) *Limiter {
	l, err := New(p)
	if err != nil {
		panic(err)
	}
	return l
}

// Acquire returns a permit for a call. If the policy says so, it waits for its turn. The
// permit must be returned with [Permit.Done] or [Permit.Cancel], whatever the outcome of
// the call.
//
// It returns an error, and no permit
//   - if ctx has ended, or ends first: the context's error and its cause;
//   - at once, if the policy is [Reject] and there is no room, or if Policy.MaxWaiting
//     calls wait: a [*FullError];
//   - if it has waited for Policy.MaxWait: a [*FullError];
//   - if ctx is nil: an [*InvalidError].
func (l *Limiter) Acquire(ctx context.Context) (Permit, error) {
	if ctx == nil {
		return Permit{}, bad("ctx", nil, "a context")
	}
	if ctx.Err() != nil {
		return Permit{}, canceled(ctx)
	}
	now := l.now()
	l.mu.Lock()
	p, ok := l.admit(now)
	if ok {
		l.mu.Unlock()
		return p, nil
	}
	if p, ok = l.ask(now); ok {
		l.unlock()
		return p, nil
	}
	if l.p.OnLimit == Reject || l.p.MaxWaiting > 0 && l.line.Len() >= l.p.MaxWaiting {
		err := l.refuse(now)
		l.unlock()
		return Permit{}, err
	}
	w := l.line.Push(make(chan Permit, 1))
	l.unlock()
	return l.await(ctx, w)
}

// TryAcquire returns a permit if there is room for a call and no call waits for it.
func (l *Limiter) TryAcquire() (Permit, bool) {
	now := l.now()
	l.mu.Lock()
	p, ok := l.admit(now)
	if !ok {
		p, ok = l.ask(now)
	}
	l.unlock()
	return p, ok
}

func (l *Limiter) now() time.Duration { return clock.Now() }

// admit lets a call begin if there is room and no call waits. mu is held.
func (l *Limiter) admit(now time.Duration) (Permit, bool) {
	if l.line.Len() > 0 || l.flight.n >= l.limit {
		return Permit{}, false
	}
	return l.begin(now), true
}

// ask is admit, after asking the controller whether no call has ended for too long. mu is
// held.
func (l *Limiter) ask(now time.Duration) (Permit, bool) {
	l.wanted = true
	l.law.Silence(now)
	l.follow(now)
	return l.admit(now)
}

// follow takes over the limit of the controller if it has changed, and lets waiting calls
// begin for which there is room now. mu is held.
func (l *Limiter) follow(now time.Duration) {
	if epoch := l.law.Epoch(); epoch != l.epoch {
		before := l.limit
		l.limit, l.epoch = l.law.Limit(), epoch
		if l.limit != before {
			l.changed(before)
		}
	}
	l.serve(now)
}

// begin lets a call begin. mu is held.
func (l *Limiter) begin(now time.Duration) Permit {
	at, number := l.flight.begin(now, l.epoch)
	return Permit{l, number, at}
}

// serve lets waiting calls begin, as far as there is room. mu is held.
func (l *Limiter) serve(now time.Duration) {
	for l.line.Len() > 0 && l.flight.n < l.limit {
		w := l.line.First()
		l.line.Remove(w)
		w.Value <- l.begin(now) // never blocks: there is room for it
	}
}

// end records the outcome of a call, the first time that it is reported.
func (l *Limiter) end(p Permit, came outcome) {
	now := l.now()
	l.mu.Lock()
	defer l.unlock()
	a, ok := l.flight.end(p.at, p.number)
	if !ok {
		return
	}
	l.used = now
	switch {
	case came == answered:
		if l.law.Done(now, a) {
			l.review(now)
		}
	case came == late && now-a.Began < l.usual: // it had less time than a call usually takes
	case came >= late:
		l.law.Lose(now, a, came == throttled)
	}
	l.follow(now)
}

// review makes the controller evaluate the measurements. mu is held.
func (l *Limiter) review(now time.Duration) {
	l.observe()
	if l.law.Review(now, l.flight.list()) {
		l.usual = l.law.State().Latency
		l.wanted = l.line.Len() > 0
	}
}

// observe tells the controller the pattern of calls. Other code decides when to call, so
// there may be fewer calls than the limit, and no demand for more. mu is held, or nothing
// else has l.
func (l *Limiter) observe() {
	l.law.Observe(adaptive.Conditions{Saturated: l.flight.n > l.limit || !l.wanted, Open: true, Batches: math.Inf(1)})
}

// changed records a change of the limit, to be reported. mu is held.
func (l *Limiter) changed(before int) {
	reason := l.law.Reason()
	if l.p.OnChange != nil {
		l.changes = append(l.changes, Change{From: before, To: l.limit, Reason: reason})
	}
}

// unlock releases mu, and reports the changes.
func (l *Limiter) unlock() {
	changes := l.changes
	l.changes = nil
	l.mu.Unlock()
	for _, c := range changes {
		l.panics.Run("concurrency.Policy.OnChange", func() { l.p.OnChange(c) })
	}
}

const (
	// unknownWait is RetryAfter of calls that are refused before anything is known.
	unknownWait = 100 * time.Millisecond
	// mostSpread bounds how much later than the first room refused calls are told to come
	// back. There is a bound because some of them never come back.
	mostSpread = time.Minute
)

// refuse returns the refusal of a call, with its own time to come back: during the time of
// one call, as many calls end as are in flight. mu is held.
func (l *Limiter) refuse(now time.Duration) error {
	e := &FullError{Limit: l.limit, Waiting: l.line.Len(), RetryAfter: unknownWait}
	if l.usual > 0 {
		each := max(1, l.usual/time.Duration(l.limit))
		e.RetryAfter = each * time.Duration(1+l.line.Len())
		if next := l.told + each; next > now+e.RetryAfter && next-now <= e.RetryAfter+mostSpread {
			e.RetryAfter = next - now
		}
		l.told = now + e.RetryAfter
	}
	return e
}

// Stats is the present state of a limiter.
type Stats struct {
	Limit    int           // calls that may be in flight
	InFlight int           // calls that are in flight
	Waiting  int           // waiting calls
	Rate     float64       // calls answered per second, by the latest measurement; 0 before the first
	Latency  time.Duration // mean time of a call then
	Baseline time.Duration // mean time of a call without load; 0 if unknown
	Panics   int64         // of callbacks
}

// Stats returns the present state.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.law.State()
	return Stats{
		Limit: l.limit, InFlight: l.flight.n, Waiting: l.line.Len(),
		Rate: s.Rate, Latency: s.Latency, Baseline: s.Baseline, Panics: l.panics.Count(),
	}
}
