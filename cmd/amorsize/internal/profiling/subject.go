// Package profiling measures what an item costs a command or a Go function, and what more workers would achieve,
// or do achieve.
package profiling

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// Subject is what is measured.
type Subject interface {
	// Sample runs items one after the other for as long as the budget allows.
	Sample(ctx context.Context, list []items.Item, budget time.Duration) (Measured, error)
	// RunAt runs all the items with that number of workers, in jobs of batch items; 0 is the subject's own number.
	RunAt(ctx context.Context, list []items.Item, workers, batch int) (Rung, error)
	// Close releases what the subject holds.
	Close()
}

// Measured is the result of a sample.
type Measured struct {
	jobs.Cost
	Bytes, Allocs float64 // a call; of Go functions
	Failed        int
	First         error   // of the failures
	Served        float64 // items per second, if the awaited service takes no more; 0 if it does
}

// Rung is the throughput of a number of workers.
type Rung struct {
	Items  int
	Wall   time.Duration
	P95    time.Duration
	CPU    time.Duration
	Memory int64
	Failed int
}

// Target is a subject, and its description.
type Target struct {
	Subject
	What     string           // for a person, in a line
	Notes    []string         // on how it came about
	Argv     []string         // of a command
	Function *gofunc.Function // nil if it is a command
	// CheckRace checks whether calls may run at the same time; nil if that is not asked.
	CheckRace func(context.Context, []items.Item) *Race
}
