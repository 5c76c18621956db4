package ratelimit

import (
	"time"
	"unsafe"
)

// member is the part of a joint that one limiter has.
type member struct {
	l        *Limiter
	w        *waiter
	short    bool          // the call had to wait for it
	expected time.Duration // for how long, as far as was known
	taken    bool          // already taken: more than a bucket holds can't be reserved
	needed   float64
	granted  grant // what was taken
}

// large reports whether the amount is more than the bucket can hold. It is waited for
// first, while the bucket grows, and kept while waiting for the others.
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

// close makes the call the next to be served in the line of m. It reports whether the
// tokens are there: from then on they are kept for it.
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

// ready reports whether the tokens are there and this call is next. The lock is held.
func (m *member) ready(b *bucket, now time.Duration) bool {
	return m.w.inLine && !m.w.passive && m.w.first() && m.l.delay(b, now, m.w.amount) == 0
}

// spend takes the tokens at the present instant, not at the instant at which they were
// due: in between the bucket held no more than a burst. The lock is held.
func (m *member) spend(b *bucket, now time.Duration) {
	cost := m.w.amount.times(b.token)
	m.l.tat = later(m.l.tat, b.fullFor(cost, now)).plus(cost)
	m.granted = grant{b, now, 0}
	m.l.line.remove(m.w)
	m.l.serve(b, now)
}
