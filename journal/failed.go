package journal

import (
	"encoding/json"
	"errors"
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
			if !yield(j.failure(at)) {
				return
			}
		}
	}
}

// failure returns the failure at a place.
func (j *Journal) failure(at int64) (f Failure, err error) {
	e, err := j.entry(at)
	if err == nil {
		f, err = e.failure(j.index.startedBefore(at))
	}
	if err != nil {
		err = &Error{j.path, fmt.Errorf("the failure at byte %d can't be read: %w", at, err)}
	}
	return f, err
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
// many they are. Their items are as if they had never been run. What is recorded of an item
// while drop looks at an older failure of it stays.
func (j *Journal) Purge(drop func(Failure) bool) (n int, err error) {
	if drop == nil {
		err := j.note(forgotten{Type: "forget"}, func(x *index) bool {
			n = x.failed
			x.forgetAll()
			return n > 0
		})
		return n, errors.Join(err, j.Sync())
	}
	if err := j.Sync(); err != nil {
		return 0, err
	}
	for _, at := range j.listed() {
		f, err := j.failure(at)
		if err != nil {
			return n, err
		}
		if !drop(f) {
			continue
		}
		err = j.note(forgotten{Type: "forget", ID: f.Key.String()}, func(x *index) bool {
			if x.at[f.Key].at() != at {
				return false
			}
			x.forget(f.Key)
			n++
			return true
		})
		if err != nil {
			return n, err
		}
	}
	return n, j.Sync()
}

// Forget has an item not be known any more, if it failed.
func (j *Journal) Forget(key Key) error {
	return j.note(forgotten{Type: "forget", ID: key.String()}, func(x *index) bool {
		failed := x.at[key].failed()
		x.forget(key)
		return failed
	})
}

// Retry has what has failed so far run again by whoever goes on with the journal. Until then
// it is still listed.
func (j *Journal) Retry() error {
	if err := j.note(forgotten{Type: "retry"}, func(x *index) bool { x.reopen(); return true }); err != nil {
		return err
	}
	return j.Sync()
}

// note adds a line that changes what is known, if it does.
func (j *Journal) note(line any, change func(*index) bool) error {
	if err := j.Err(); err != nil {
		return err
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return j.wrap(err)
	}
	return j.wrap(j.add(sealObject(raw), func(int64) bool { return change(&j.index) }))
}

// Mode says how a run uses a journal.
type Mode int

// RetryFailed runs items again that have failed in an earlier run.
const RetryFailed Mode = 1
