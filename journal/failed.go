package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Failed returns the items that failed and did not succeed later, in the order in which they
// failed: at most the latest Options.MaxFailed. The error is that of an unreadable record.
//
// Failures recorded during the iteration may or may not be included.
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

// Dropped returns how many failed items are not listed because there are more than
// Options.MaxFailed.
func (j *Journal) Dropped() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return max(0, j.index.failed-j.opts.MaxFailed)
}

// listed returns the places of the listed failures.
func (j *Journal) listed() []int64 {
	j.mu.Lock()
	at := j.index.failures()
	there, _ := slices.BinarySearch(at, j.written) // the ones after it are still being written
	j.mu.Unlock()
	at = at[:there]
	return at[max(0, len(at)-j.opts.MaxFailed):]
}

// failures returns the places of the failed items, in order.
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

// Purge forgets the failures for which drop returns true, or all if drop is nil, and returns
// their number. Their items are as if they had never been run. If an item gets a newer
// record while drop looks at its older failure, the newer one stays.
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

// Forget makes an item unknown again, if it failed.
func (j *Journal) Forget(key Key) error {
	return j.note(forgotten{Type: "forget", ID: key.String()}, func(x *index) bool {
		failed := x.at[key].failed()
		x.forget(key)
		return failed
	})
}

// Retry makes all items that have failed so far run again when a run resumes with the
// journal. Until then they are still listed.
func (j *Journal) Retry() error {
	if err := j.note(forgotten{Type: "retry"}, func(x *index) bool { x.reopen(); return true }); err != nil {
		return err
	}
	return j.Sync()
}

// note adds a line if it changes the index.
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

// RetryFailed runs items again that failed in an earlier run.
const RetryFailed Mode = 1
