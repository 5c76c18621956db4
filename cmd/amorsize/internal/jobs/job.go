package jobs

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// Job is what is run at a time: an item, or a batch of them.
type Job struct {
	Batch []items.Item
	Place int // in the order of the run, from 0; halves of a batch have its place
	// Tries counts the attempts, and Outcome is what the latest of them did.
	Tries int
	process.Outcome
	// Status is the latest answer's, of HTTP.
	Status int
	// Cost is what the latest attempt cost; below 0 if that isn't known.
	Cost float64
	// Err is why the job failed; nil if it did not, or is not over.
	Err error
	// Took is how long it took with all attempts and what policies made it wait.
	Took time.Duration
}

// First returns the first item of the job.
func (j *Job) First() items.Item { return j.Batch[0] }

// Release gives back what the job holds.
func (j *Job) Release() {
	j.Out.Release()
	j.Outcome.Err.Release()
}

// Attempt runs a job once, in a slot, a number from 0 that no other attempt has at
// the same time. It sets the job's Outcome, and returns an error that policies
// understand. The context ends when nothing more is to be started; an attempt
// under way goes on.
type Attempt func(ctx context.Context, job *Job, slot int) error
