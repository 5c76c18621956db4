package executor

import (
	"sync/atomic"
	"time"
)

// alarmAfter is how long the caller may work alone on one block of items before helpers
// join: the block turned out to cost more than the ones before it, or its first call is
// very long. For less time helpers gain nothing (engine costs in docs/how-it-works.md).
const alarmAfter = time.Millisecond

// batchAlarm is alarmAfter for batches. It is longer because the batch size is found by
// one call at a time.
const batchAlarm = 100 * time.Millisecond

// The phases of a solo, which say who owns its fields: the caller, but from taken until
// ready is closed, the alarm.
const (
	over    uint64 = iota // the caller has left, or the alarm is not wanted
	between               // two blocks, or before the first
	inBlock               // the caller runs one
	idle                  // the caller waits for an item of a stream
	taken                 // the alarm has gone off in a block, and makes the run
)

// alarm fires when a caller has worked alone on a block for the given time, or for up to
// twice as long.
//
// Setting a timer wakes a sleeping thread, which costs more than all the work of a small
// input. So the timer of an alarm is not stopped at the end of a run: if the next run
// begins soon, the timer is already running.
type alarm struct {
	// state has the phase in its low bits and the number of the block above, so that a
	// late timer can't mistake one block for another.
	state   atomic.Uint64
	seen    atomic.Uint64 // the state when the timer fired last, or was set
	pending atomic.Bool   // the timer runs
	timer   *time.Timer
	after   time.Duration
	o       *solo
	ready   chan struct{}
}

const phaseBits = 3

// set makes the alarm fire when the solo stays in one block for long.
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

// enter begins a phase; each block gets a new number.
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
