package ratelimit

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// joint is a call that waits under several limits.
//
// It enters the lines of all at once and keeps its place in each. As long as its turn has
// not come in all of them, other calls pass it where it has: a limit must not be idle
// because a call waits for another limit. When its turn has come in all, the call collects
// the tokens: it is served next in the slowest limit, and when the token is there, it
// blocks the calls behind it and turns to the next limit. That takes no longer than one
// call's tokens take to come in each limit. Then it takes all tokens at the same instant,
// so that no limit sees a token used later than granted.
//
// All calls collect from limits in the same order, so there is no deadlock.
type joint struct {
	members []member      // in the order of collecting
	poked   chan struct{} // has a token if there is something to do
}

func newJoint(limiters []*Limiter, n []float64) *joint {
	j := &joint{poked: make(chan struct{}, 1), members: make([]member, 0, len(limiters))}
	for i, l := range limiters {
		if need := amountOf(n, i); need > 0 {
			j.members = append(j.members, member{l: l, needed: need, w: &waiter{amount: amount(need), joint: j, passive: true}})
		}
	}
	slices.SortFunc(j.members, func(a, b member) int {
		return cmp.Or(
			cmp.Compare(toInt(b.large()), toInt(a.large())),
			cmp.Compare(a.l.rank, b.l.rank),
			cmp.Compare(a.l.address(), b.l.address()))
	})
	return j
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tell tells the call of w that its turn has come.
func (w *waiter) tell() {
	if !w.told {
		w.told = true
		w.joint.poke()
	}
}

// poke tells the call that there may be something to do. It never blocks.
func (j *joint) poke() {
	select {
	case j.poked <- struct{}{}:
	default:
	}
}

// lockAll locks the limiters, always in the same order, and returns the function that
// unlocks them.
func (j *joint) lockAll() (now time.Duration, unlock func()) {
	locked := slices.Clone(j.members)
	slices.SortFunc(locked, func(a, b member) int { return cmp.Compare(a.l.address(), b.l.address()) })
	buckets := make([]*bucket, len(locked))
	for i, m := range locked {
		buckets[i], now = m.l.lock()
	}
	return now, func() {
		for i, m := range locked {
			m.l.unlock(buckets[i], now)
		}
	}
}

// enter takes all tokens, or a place in each line. It reports whether the call must wait.
func (j *joint) enter(ctx context.Context) (waits bool, err error) {
	now, unlock := j.lockAll()
	defer unlock()
	if j.admit(now) {
		return false, nil
	}
	if err := j.refusal(ctx, now); err != nil {
		return true, err
	}
	for _, m := range j.members {
		m.l.enter(m.l.bucket.Load(), now, m.w)
	}
	return true, nil
}

// try takes all tokens, or nothing.
func (j *joint) try() bool {
	now, unlock := j.lockAll()
	defer unlock()
	return j.admit(now)
}

// admit takes all tokens, if they are available and no call waits for them. All limiters
// are locked.
func (j *joint) admit(now time.Duration) bool {
	short := false
	for i := range j.members {
		m := &j.members[i]
		m.short = !m.l.admits(m.l.bucket.Load(), now, m.w.amount)
		short = short || m.short
	}
	if short {
		return false
	}
	for i := range j.members {
		m := &j.members[i]
		m.granted = grant{m.l.bucket.Load(), now, 0}
		m.l.admit(m.granted.b, now, m.w.amount)
	}
	return true
}

// refusal returns an error if the call can't be served, or not in time. All limiters are
// locked.
func (j *joint) refusal(ctx context.Context, now time.Duration) error {
	deadline, timed := ctx.Deadline()
	left := time.Until(deadline)
	for i := range j.members {
		m := &j.members[i]
		want := m.w.amount
		if q := m.l.line; q != nil { // calls that are passed over come before it, too
			want = want.plus(q.kept)
		}
		wait := m.l.wait(m.l.bucket.Load(), now, want)
		m.expected = wait
		switch {
		case m.l.rejects() && m.short:
			return &ExceededError{RetryAfter: m.l.refuse(m.l.bucket.Load(), now, m.w.amount)}
		case wait == math.MaxInt64:
			return &ExceededError{RetryAfter: wait}
		case timed && wait > left:
			return &DeadlineError{Wait: wait, Left: left}
		case timed:
			m.w.deadline = now + left
		}
	}
	return nil
}

// waits reports the wait to the limiters without tokens.
func (j *joint) waits() {
	for _, m := range j.members {
		if m.short {
			m.l.waits(m.expected, j.leave)
		}
	}
}

// await blocks until the call has all tokens, can't get them any more, or ctx ends.
func (j *joint) await(ctx context.Context, since time.Duration) (err error) {
	defer func() {
		for _, m := range j.members {
			if m.short {
				m.l.waited(since)
			}
		}
	}()
	for {
		at, err := j.advance()
		if at == nil && err == nil {
			if ctx.Err() == nil && !j.take() {
				continue // something has changed since
			}
			if ctx.Err() == nil {
				return nil
			}
		}
		if err == nil {
			err = j.wait(ctx, at)
		}
		if err != nil {
			j.leave()
			return err
		}
	}
}

// wait blocks until there may be something to do at m, which may be nil.
func (j *joint) wait(ctx context.Context, m *member) error {
	var tick <-chan time.Time
	if m != nil {
		tick = m.w.tick
	}
	select {
	case <-j.poked:
	case <-tick:
		m.l.wake()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	return nil
}

// advance does what is possible now, and returns the member whose line to wait for, or nil
// if all tokens are there.
func (j *joint) advance() (*member, error) {
	for i := range j.members {
		m := &j.members[i]
		reached, err := m.reached()
		if err != nil {
			return nil, err
		}
		if !reached {
			j.retreat()
			return m, nil
		}
	}
	for i := range j.members {
		if m := &j.members[i]; !m.close() {
			return m, nil
		}
	}
	return nil, nil
}

// retreat makes the call be passed over again, in all lines.
func (j *joint) retreat() {
	for i := range j.members {
		m := &j.members[i]
		if m.taken {
			continue
		}
		b, now := m.l.lock()
		if m.w.inLine && !m.w.passive {
			if m.w.first() {
				m.l.clip(b, now)
			}
			m.l.line.setPassive(m.w, true)
			m.l.serve(b, now)
		}
		m.l.unlock(b, now)
	}
}

// take takes all tokens, if they are there.
func (j *joint) take() bool {
	now, unlock := j.lockAll()
	defer unlock()
	for i := range j.members {
		if m := &j.members[i]; !m.taken && !m.ready(m.l.bucket.Load(), now) {
			return false
		}
	}
	for i := range j.members {
		if m := &j.members[i]; !m.taken {
			m.spend(m.l.bucket.Load(), now)
		}
	}
	return true
}

// leave gives up the places, and returns what was taken.
func (j *joint) leave() {
	for _, m := range j.members {
		if m.taken {
			m.l.giveBack(m.granted, m.needed)
			continue
		}
		m.l.leave(m.w)
	}
}
