package profiling

import (
	"context"
	"io"
	"math"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// Binary is a built function. *gofunc.Binary is one.
type Binary interface {
	Sample(context.Context, gofunc.Run) (*gofunc.Sample, error)
	Parallel(context.Context, gofunc.Run) (*gofunc.Parallel, error)
	Close()
}

// Functions is a subject whose items are calls of a Go function.
type Functions struct {
	Binary  Binary
	Batch   int       // items of a call
	Output  io.Writer // takes what the function writes; nil drops it
	Release func()    // is called by Close, after the binary's
}

// Close releases what the function holds.
func (f *Functions) Close() {
	f.Binary.Close()
	f.Release()
}

func (f *Functions) run(list []items.Item) gofunc.Run {
	return gofunc.Run{Items: list, Batch: f.Batch, Output: f.Output}
}

// Sample calls the function repeatedly.
func (f *Functions) Sample(ctx context.Context, list []items.Item, budget time.Duration) (Measured, error) {
	run := f.run(list)
	run.Budget = budget
	s, err := f.Binary.Sample(ctx, run)
	if err != nil {
		return Measured{}, function.WithStatus(err)
	}
	return Measured{Cost: blockCost(s), Bytes: s.Bytes, Allocs: s.Allocs, Failed: s.Failed, First: s.First}, nil
}

// RunAt calls the function with that number of workers.
func (f *Functions) RunAt(ctx context.Context, list []items.Item, workers, batch int) (Rung, error) {
	run := f.run(list)
	run.Workers = workers
	if batch > 0 {
		run.Batch = batch
	}
	p, err := f.Binary.Parallel(ctx, run)
	if err != nil {
		return Rung{}, function.WithStatus(err)
	}
	return Rung{Items: p.Items, Wall: p.Wall, P95: p.P95, CPU: p.CPU, Failed: p.Failed}, nil
}

// blockCost computes the cost from blocks of calls. The first is left out: it is cold.
func blockCost(s *gofunc.Sample) jobs.Cost {
	blocks := s.Blocks
	if len(blocks) > 1 {
		blocks = blocks[1:]
	}
	c := jobs.Cost{Jobs: s.Items, Items: s.Items, Elapsed: s.Wall}
	calls, wall := 0, time.Duration(0)
	for _, b := range blocks {
		calls, wall = calls+b.Items, wall+b.Wall
	}
	if calls == 0 {
		return c
	}
	if wall < time.Duration(calls) { // the clock is too coarse to tell
		c.Wall, c.CPU = 1, 1
		return c
	}
	mean := float64(wall) / float64(calls)
	deviation := 0.0
	for _, b := range blocks {
		d := float64(b.Wall)/float64(b.Items) - mean
		deviation += float64(b.Items) * d * d
	}
	if len(blocks) > 1 {
		c.CV = math.Sqrt(deviation/float64(len(blocks)-1)) / mean
	}
	c.Wall = time.Duration(mean)
	c.CPU = time.Duration(mean * functionShare(s))
	return c
}

// functionShare is the part of the calls' time that was spent on a core. Calls that are too short to measure count
// as computing.
func functionShare(s *gofunc.Sample) float64 {
	all := time.Duration(0)
	for _, b := range s.Blocks {
		all += b.Wall
	}
	if all < time.Millisecond {
		return 1
	}
	return min(1, float64(s.CPU)/float64(all))
}

// Race is the verdict of the race detector.
type Race struct {
	Found bool   `json:"found"`
	Text  string `json:"text,omitempty"`
	Why   string `json:"why,omitempty"` // why there is no verdict
}

// The race detector gets this number of items, and this much more time than the budget: it slows everything down.
const (
	raceItems   = 200
	raceTime    = 20 * time.Second
	raceWorkers = 4
)

// CheckRace builds the function with the race detector, and calls it with several workers for a time that follows
// from the budget.
func (f *Functions) CheckRace(ctx context.Context, fn *gofunc.Function, tags string, list []items.Item, budget time.Duration) *Race {
	loaded, err := gofunc.Load(ctx, fn.Target(), gofunc.Options{Tags: tags, Race: true})
	if err != nil {
		return &Race{Why: err.Error()}
	}
	found, err := loaded.Function(f.Batch > 1)
	if err != nil {
		return &Race{Why: err.Error()}
	}
	binary, err := found.Build(ctx)
	if err != nil {
		return &Race{Why: "it can't be built with -race: " + firstLine(err.Error())}
	}
	return f.race(ctx, binary, list, budget)
}

// raced is a function that was built with the race detector.
type raced interface {
	CheckRace(context.Context, gofunc.Run) (gofunc.Race, error)
	Close()
}

// race makes the calls, and closes what was built.
func (f *Functions) race(ctx context.Context, binary raced, list []items.Item, budget time.Duration) *Race {
	defer binary.Close()
	limited, cancel := context.WithTimeout(ctx, 5*budget+raceTime)
	defer cancel()
	run := f.run(list[:min(len(list), raceItems)])
	run.Workers = raceWorkers
	verdict, err := binary.CheckRace(limited, run)
	if err != nil {
		return &Race{Why: "it took too long"}
	}
	return &Race{Found: verdict.Found, Text: verdict.Text}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
