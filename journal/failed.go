package journal

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Failed returns the items that failed and did not succeed later, in the order in which they
// failed: the latest of them, as many as Options.MaxFailed says. The error is that of a
// record which can't be read.
//
// What a program records meanwhile may be among them or not.
func (j *Journal) Failed() iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		if err := j.flush(); err != nil {
			yield(Failure{}, j.wrap(err))
			return
		}
		for _, at := range j.listed() {
			e, err := j.entry(at)
			var f Failure
			if err == nil {
				f, err = e.failure(j.index.startedBefore(at))
			}
			if err != nil {
				err = &Error{j.path, fmt.Errorf("the failure at byte %d can't be read: %w", at, err)}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// Dropped returns how many failed items are not listed, since there are more than
// Options.MaxFailed.
func (j *Journal) Dropped() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return max(0, j.index.failed-j.opts.MaxFailed)
}

// listed returns where the failures are that are listed.
func (j *Journal) listed() []int64 {
	j.mu.Lock()
	at := j.index.failures()
	there, _ := slices.BinarySearch(at, j.written) // what comes after it is on its way
	j.mu.Unlock()
	at = at[:there]
	return at[max(0, len(at)-j.opts.MaxFailed):]
}

// failures returns where those are that have failed, in order.
func (x *index) failures() []int64 {
	list := make([]int64, 0, x.failed)
	for _, p := range x.at {
		if p.failed() {
			list = append(list, p.at())
		}
	}
	slices.Sort(list)
	return list
}

// Purge forgets the failures for which drop returns true, all if it is nil, and returns how
// many they are. Their items are as if they had never been run.
func (j *Journal) Purge(drop func(Failure) bool) (n int, err error) {
	if drop == nil {
		j.mu.Lock()
		n = j.index.failed
		j.mu.Unlock()
		if err := j.note(forgotten{Type: "forget"}, (*index).forgetAll); err != nil {
			return 0, err
		}
		return n, j.Sync()
	}
	var keys []Key
	for f, err := range j.Failed() {
		if err != nil {
			return 0, err
		}
		if drop(f) {
			keys = append(keys, f.Key)
		}
	}
	for _, k := range keys {
		if err := j.Forget(k); err != nil {
			return n, err
		}
		n++
	}
	return n, j.Sync()
}

// Forget has an item not be known any more, if it failed.
func (j *Journal) Forget(key Key) error {
	j.mu.Lock()
	failed := j.index.at[key].failed()
	j.mu.Unlock()
	if !failed {
		return nil
	}
	return j.note(forgotten{Type: "forget", ID: key.String()}, func(x *index) { x.forget(key) })
}

// Retry has what has failed so far run again by whoever goes on with the journal. Until then
// it is still listed.
func (j *Journal) Retry() error {
	if err := j.note(forgotten{Type: "retry"}, (*index).reopen); err != nil {
		return err
	}
	return j.Sync()
}

// note adds a line that changes what is known.
func (j *Journal) note(line any, change func(*index)) error {
	if err := j.Err(); err != nil {
		return err
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return j.wrap(err)
	}
	return j.wrap(j.add(sealObject(raw), func(int64) { change(&j.index) }))
}

// Mode says how a run uses a journal.
type Mode int

// RetryFailed runs items again that have failed in an earlier run.
const RetryFailed Mode = 1
