package jobs

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// Job is the unit that runs: an item, or a batch of them.
type Job struct {
	Batch []items.Item
	Place int // in the order of the run, from 0; halves of a batch have its place
	// Tries counts the attempts, and Outcome is the outcome of the latest of them.
	Tries int
	process.Outcome
	// Status is the HTTP status of the latest answer.
	Status int
	// Cost is what the latest attempt cost; below 0 if that isn't known.
	Cost float64
	// Err is why the job failed; nil if it did not, or has not ended.
	Err error
	// Took is how long it took, with all attempts and the waits in policies.
	Took time.Duration
}

// First returns the first item of the job.
func (j *Job) First() items.Item { return j.Batch[0] }

// Release gives back what the job holds.
func (j *Job) Release() {
	j.Out.Release()
	j.Outcome.Err.Release()
}

// Attempt runs a job once, in a slot: a number from 0 that no other attempt has at the same time. It sets the
// job's Outcome, and returns an error that policies understand. The context ends when nothing more is to be
// started; a running attempt continues.
type Attempt func(ctx context.Context, job *Job, slot int) error
