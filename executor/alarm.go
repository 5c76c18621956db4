package executor

import (
	"sync/atomic"
	"time"
)

// alarmAfter is how long the caller may be alone with one block of items
// before others join in: the block turned out dearer than the ones before it, or
// its first call is very long. Helpers gain nothing on less (engine costs in
// docs/how-it-works.md).
const alarmAfter = time.Millisecond

// batchAlarm is that for batches, whose size is to be found by one call at a time.
const batchAlarm = 100 * time.Millisecond

// The phases of an opening, which say whose its fields are: the caller's, and from
// taken on the alarm's until ready is closed.
const (
	over    uint64 = iota // the caller has left, or the alarm is not wanted
	between               // two blocks, or before the first
	inBlock               // the caller runs one
	idle                  // the caller waits for an item of a stream
	taken                 // the alarm has gone off in a block, and makes the run
)

// alarm goes off when a caller has been alone with a block for the time given, or for
// up to twice as long.
//
// Setting a timer wakes a thread that sleeps until then, and costs a small input more
// than all of its work. So the timer of an alarm is not stopped at the end of a run:
// the next run, if it begins soon, finds it running.
type alarm struct {
	// state is a phase, and above it the number of the block, so that a timer that
	// fires late can't take one block for another.
	state   atomic.Uint64
	seen    atomic.Uint64 // the state when the timer fired last, or was set
	pending atomic.Bool   // the timer runs
	timer   *time.Timer
	after   time.Duration
	o       *solo
	ready   chan struct{}
}

const phaseBits = 3

// set has the alarm go off while the opening is in one block for long.
func (a *alarm) set() {
	a.enter(between)
	if a.pending.CompareAndSwap(false, true) {
		a.start()
	}
}

func (a *alarm) start() {
	a.seen.Store(a.state.Load() + 1<<phaseBits) // the first block to come
	if a.timer == nil {                         // set only once it is assigned: ring uses it
		a.ready = make(chan struct{})
		a.timer = time.AfterFunc(time.Hour, a.ring)
	}
	a.timer.Reset(a.after)
}

func (a *alarm) phase() uint64 { return a.state.Load() & (1<<phaseBits - 1) }

// enter begins a phase; a block has a number of its own.
func (a *alarm) enter(phase uint64) {
	block := a.state.Load() >> phaseBits
	if phase == inBlock {
		block++
	}
	a.state.Store(block<<phaseBits | phase)
}

// leave ends a phase, unless the alarm has taken over.
func (a *alarm) leave(from, to uint64) bool {
	state := a.state.Load()
	return state&(1<<phaseBits-1) == from && a.state.CompareAndSwap(state, state-from+to)
}

// ring is called when the timer fires.
func (a *alarm) ring() {
	state := a.state.Load()
	switch phase := state & (1<<phaseBits - 1); {
	case phase == over || phase == idle:
		a.pending.Store(false)
		if p := a.phase(); p != over && p != idle && a.pending.CompareAndSwap(false, true) { // a run has begun meanwhile
			a.start()
		}
		return
	case phase != inBlock || state>>phaseBits != a.seen.Load()>>phaseBits || !a.state.CompareAndSwap(state, state-inBlock+taken):
		a.seen.Store(state)
		a.timer.Reset(a.after) // look again
		return
	}
	a.o.join()
}
