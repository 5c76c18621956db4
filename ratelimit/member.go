package ratelimit

import (
	"time"
	"unsafe"
)

// member is the part of a joint that one limiter has.
type member struct {
	l        *Limiter
	w        *waiter
	short    bool          // it had to be waited for
	expected time.Duration // for how long, as far as was known
	taken    bool          // already: more than a bucket holds can't be held back
	needed   float64
	granted  grant // what was taken
}

// large reports whether the bucket can't hold what is wanted of it. It is waited for
// first, with the bucket growing meanwhile, and kept while the others are waited for.
func (m *member) large() bool { return m.needed > float64(m.l.Burst()) }

func (l *Limiter) address() uintptr { return uintptr(unsafe.Pointer(l)) }

// reached reports whether the call's turn has come in the line of m.
func (m *member) reached() (bool, error) {
	if m.taken {
		return true, nil
	}
	b, now := m.l.lock()
	defer m.l.unlock(b, now)
	if m.w.err != nil {
		return false, m.w.err
	}
	m.w.told = m.w.first() && m.l.debt(b, now, m.w.amount) == 0
	return m.w.told, nil
}

// close has the call be served next in the line of m. It reports whether the tokens are
// there: from then on they are kept for it.
func (m *member) close() bool {
	if m.taken {
		return true
	}
	b, now := m.l.lock()
	defer m.l.unlock(b, now)
	if m.w.passive {
		if !m.l.waiting() {
			m.l.tat = later(m.l.tat, m.l.floor(b, now))
		}
		m.l.line.setPassive(m.w, false)
		m.l.reschedule(b, now)
	}
	if m.w.told = m.ready(b, now); !m.w.told {
		return false
	}
	if m.large() {
		m.spend(b, now)
		m.taken = true
	}
	return true
}

// ready reports whether the tokens are there, for this call next. The lock is held.
func (m *member) ready(b *bucket, now time.Duration) bool {
	return m.w.inLine && !m.w.passive && m.w.first() && m.l.delay(b, now, m.w.amount) == 0
}

// spend takes the tokens, by now and not by the instant at which they were due: in
// between the bucket held no more than a burst. The lock is held.
func (m *member) spend(b *bucket, now time.Duration) {
	cost := m.w.amount.times(b.token)
	m.l.tat = later(m.l.tat, b.fullFor(cost, now)).plus(cost)
	m.granted = grant{b, now, 0}
	m.l.line.remove(m.w)
	m.l.serve(b, now)
}
