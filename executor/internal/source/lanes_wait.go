package source

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// How workers wait for an item of [Lanes].

// await waits until there may be something to take. It is false if there is nothing left,
// or the run is over.
func (l *Lanes) await() bool {
	l.idle.Add(1)
	defer l.idle.Add(-1)
	select {
	case <-l.lead:
		defer func() { l.lead <- struct{}{} }()
		return l.awaitNext()
	case <-l.stopped:
		return false
	}
}

// awaitNext is await for the leader.
func (l *Lanes) awaitNext() bool {
	news := l.from.listen()
	defer l.from.unlisten()
	switch there, more := l.from.look(); {
	case there || l.goUnasked():
		return true
	case !more && l.parked.Load() == 0:
		return false
	}
	var timer <-chan time.Time
	if wait, ok := l.untilDue(); ok {
		if wait <= 0 {
			return true
		}
		t := time.NewTimer(wait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-l.changed:
	case <-news:
	case <-l.stopped:
		return false
	}
	return true
}

// goUnasked reports whether there are items that go unasked.
func (l *Lanes) goUnasked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.plain) > 0
}

// untilDue returns how long it is until the first lane is due, if there is one.
func (l *Lanes) untilDue() (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) == 0 {
		return 0, false
	}
	return l.due[0].at - clock.Now(), true
}

func (l *Lanes) over() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}
