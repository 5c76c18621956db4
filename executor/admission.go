package executor

import "sync/atomic"

// maxWaitingHelpers bounds the helpers of all waiting runs of the process.
const maxWaitingHelpers = 1 << 16

// helpers counts the helpers of all runs in the process.
//
// It is global state, because the whole process shares the cores. Without it, a function
// that calls Execute itself would multiply the helpers at each level of nesting, and so
// would a hundred concurrent requests. So computing helpers are bounded by GOMAXPROCS
// over all runs. Admission never waits: a run that gets no helper runs its items in its
// own goroutine, so nested runs can't deadlock.
var helpers ledger

type ledger struct {
	computing, waiting atomic.Int64
}

// account returns the counter for a helper and its bound.
func (l *ledger) account(waits bool, procs int) (*atomic.Int64, int64) {
	if waits {
		return &l.waiting, maxWaitingHelpers
	}
	return &l.computing, int64(procs - 1)
}

// admit counts one more helper and returns the counter to leave, or nil if
// there are enough.
func (l *ledger) admit(waits bool, procs int) *atomic.Int64 {
	count, most := l.account(waits, procs)
	if count.Add(1) > most {
		count.Add(-1)
		return nil
	}
	return count
}
