package ratelimit

import (
	"time"
)

// Reservation is a place in line for tokens, held without waiting in a call. Its holder
// must wait [Reservation.Delay] before acting on it.
type Reservation struct {
	l *Limiter
	w *waiter
}

// Reserve takes n tokens if they are available, or a place at the end of the line. It
// doesn't wait, and ignores [Reject].
func (l *Limiter) Reserve(n float64) (*Reservation, error) {
	if err := validCost(n); err != nil {
		return nil, err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	w := &waiter{amount: amount(n)}
	if _, ok := b.cost(n); !ok {
		return nil, bad("n", n, "tokens that come within 292 years")
	}
	if l.admit(b, now, w.amount) {
		w.granted, w.due = true, now
	} else {
		l.enter(b, now, w)
	}
	return &Reservation{l, w}, nil
}

// Delay returns how long it is until the tokens are there, 0 if they are. It changes when
// a call ahead gives up, the rate is changed, or calls ahead wake up too late to be
// compensated. Computing it takes time in proportion to the length of the line.
func (r *Reservation) Delay() time.Duration {
	b, now := r.l.lock()
	defer r.l.unlock(b, now)
	if !r.w.inLine {
		return 0
	}
	var want uint128
	for w := r.l.line.head; w != r.w; w = w.next {
		want = want.plus(w.amount)
	}
	return r.l.delay(b, now, want.plus(r.w.amount))
}

// Cancel gives up the place in line. Once the tokens are there, the holder owns them and
// Cancel does nothing any more, as in golang.org/x/time/rate: it may be deferred. A
// second call does nothing.
func (r *Reservation) Cancel() {
	b, now := r.l.lock()
	defer r.l.unlock(b, now)
	if !r.w.granted || now == r.w.due {
		r.l.giveUp(b, now, r.w)
	}
}
