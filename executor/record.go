package executor

import "time"

// record is the history of a run: reviews write it, and the report is made from it.
type record struct {
	story
	start   time.Duration // of the run
	tally   *tally        // nil if not needed
	changes []Change
}

// note records a decision for the report, and returns it.
func (r *record) note(now time.Duration, workers int, reason string) *Change {
	c := Change{At: now - r.start, Workers: workers, Reason: reason}
	if len(r.changes) < MaxChanges {
		r.changes = append(r.changes, c)
	}
	return &c
}
