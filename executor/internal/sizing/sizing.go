// Package sizing says how many items a worker claims at a time, and how many a batch has.
//
// [Timed] makes chunks that take a target time, [Batch] finds the size of batches with
// the best goodput, and [Fixed] is what a caller decided.
package sizing

import "time"

// Sizer says how many items a worker should claim next. It is used by all
// workers at once.
type Sizer interface {
	// Size returns how many items to claim, at least 1: itemNanos is what one cost the
	// worker lately, 0 if that is not known; so many are left, for so many workers.
	Size(itemNanos float64, left, workers int) int
	// Record tells what a claim of so many items took.
	Record(items int, took time.Duration)
	// Late returns after which time a claim is to be cut, 0 for never.
	Late() time.Duration
}

// Fixed is a number of items that the caller decided on, at least 1.
type Fixed int

// Size implements [Sizer].
func (f Fixed) Size(float64, int, int) int { return int(f) }

// Record implements [Sizer].
func (f Fixed) Record(int, time.Duration) {}

// Late implements [Sizer].
func (f Fixed) Late() time.Duration { return 0 }
