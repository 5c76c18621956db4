package executor

import "time"

// record is how a run went: its reviews write it, and its report is made of it.
type record struct {
	story
	start   time.Duration // of the run
	tally   *tally        // nil if nobody asks for it
	changes []Change
}

// note keeps a decision for the report, and returns it.
func (r *record) note(now time.Duration, workers int, reason string) *Change {
	c := Change{At: now - r.start, Workers: workers, Reason: reason}
	if len(r.changes) < MaxChanges {
		r.changes = append(r.changes, c)
	}
	return &c
}
