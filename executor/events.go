package executor

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
)

// EventKind names the events of a run, in the order in which they come.
type EventKind int

// The events of a run. Started and Finished come exactly once each.
const (
	Started   EventKind = iota // nothing has been run
	Planning                   // Fraction of the planning is done, 0 to 1
	Planned                    // Plan is made, or revised
	ChunkDone                  // a worker has run a chunk of items
	Finished                   // Report is complete
)

// Event is told to an [Observer]. Completed, Total and Elapsed are always set.
type Event struct {
	Kind      EventKind
	Elapsed   time.Duration // since the start of the run
	Completed int           // items that were run, failures included
	Total     int           // items; -1 of a stream whose input has not ended

	Fraction float64         // Planning
	Plan     *optimizer.Plan // Planned, Finished
	Report   *Report         // Finished

	Chunk    int           // ChunkDone: 0, 1, 2, … in the order of completion
	Size     int           // ChunkDone: items in it
	Duration time.Duration // ChunkDone: how long it took
}

// Observer is told the events of a run, one at a time and in order, with no
// lock held. It is called by workers: a slow observer slows the run down. What
// an event points to must not be changed. A panic in an observer stops the run
// like one in the function.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes a function an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Progress tells how far a run is.
type Progress struct {
	Completed, Total int           // items; Completed counts failures too; Total is -1 if it is not known yet
	Elapsed          time.Duration // since the start of the run
	Rate             float64       // items per second so far
	Remaining        time.Duration // at that rate; 0 if there is none yet
	Workers          int           // running now
}

// Fraction returns how much of the items is done, 0 to 1; 1 for no items, 0 if
// their number is not known yet.
func (p Progress) Fraction() float64 {
	if p.Total < 0 {
		return 0
	}
	if p.Total == 0 {
		return 1
	}
	return float64(p.Completed) / float64(p.Total)
}

// Every returns a function that passes progress on to report, at most once in
// interval of the run's time, and once when all is done. It is for one run.
func Every(interval time.Duration, report func(Progress)) func(Progress) {
	var last time.Duration
	complete := false
	return func(p Progress) {
		unfinished := p.Total < 0 || p.Completed < p.Total
		if complete || unfinished && p.Elapsed-last < interval {
			return
		}
		last, complete = p.Elapsed, !unfinished
		report(p)
	}
}

// events tells the observers of a run. A nil *events tells nobody.
type events struct {
	observers []Observer
	progress  func(Progress) // after chunks, at most once per interval
	ending    func(Progress)
	log       *slog.Logger
	total     int
	stream    bool // the number of items was not known from the start
	start     time.Duration
	completed atomic.Int64
	running   atomic.Int64 // workers

	// Whoever adds to an empty queue delivers it, and all that others add
	// meanwhile: one call at a time, in order, and no lock around any of them.
	mu         sync.Mutex
	queue      []Event
	delivering bool
	chunks     int
}

// newEvents returns nil if nobody wants to be told.
func newEvents(cfg *Config, total int, start time.Duration) *events {
	if cfg.Progress == nil && cfg.Logger == nil && len(cfg.Observers) == 0 {
		return nil
	}
	e := &events{observers: cfg.Observers, log: cfg.Logger, total: total, start: start}
	e.running.Store(1)
	if cfg.Progress != nil {
		interval := cfg.ProgressInterval
		if interval == 0 {
			interval = DefaultProgressInterval
		}
		e.progress, e.ending = Every(interval, cfg.Progress), cfg.Progress
	}
	return e
}

// chunk tells that a chunk of size items is done.
func (e *events) chunk(size int, took time.Duration) {
	if e == nil {
		return
	}
	e.completed.Add(int64(size))
	e.tell(Event{Kind: ChunkDone, Size: size, Duration: took})
}

func (e *events) tell(event Event) {
	if e == nil {
		return
	}
	e.mu.Lock()
	event.Total = e.total
	event.Completed = int(e.completed.Load())
	event.Elapsed = clock.Now() - e.start
	if event.Kind == ChunkDone {
		event.Chunk = e.chunks
		e.chunks++
	}
	e.queue = append(e.queue, event)
	if e.delivering {
		e.mu.Unlock()
		return
	}
	e.delivering = true
	defer func() { // also when an observer panics
		e.delivering = false
		e.mu.Unlock()
	}()
	for len(e.queue) > 0 {
		next := e.queue[0]
		e.queue = e.queue[1:]
		e.deliver(next)
	}
}

// deliver calls the observers without the lock, and takes it again.
func (e *events) deliver(event Event) {
	e.mu.Unlock()
	defer e.mu.Lock()
	for _, o := range e.observers {
		o.Observe(event)
	}
	switch {
	case e.progress == nil:
	case event.Kind == ChunkDone:
		e.progress(e.progressOf(event))
	case event.Kind == Finished && (event.Completed < event.Total || event.Total == 0 || e.stream):
		e.ending(e.progressOf(event)) // not all was run: the end is told nevertheless
	}
}

func (e *events) progressOf(event Event) Progress {
	p := Progress{Completed: event.Completed, Total: event.Total, Elapsed: event.Elapsed, Workers: int(e.running.Load())}
	if p.Elapsed > 0 {
		p.Rate = float64(p.Completed) / p.Elapsed.Seconds()
	}
	if p.Rate > 0 && p.Total >= 0 {
		p.Remaining = time.Duration(float64(p.Total-p.Completed) / p.Rate * float64(time.Second))
	}
	return p
}

// counted sets the number of items, -1 as long as it is not known.
func (e *events) counted(total int) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.stream = total, true
}

// staffed notes how many workers there are.
func (e *events) staffed(workers int) {
	if e != nil {
		e.running.Store(int64(workers))
	}
}

// info and debug write to the logger, if there is one.
func (e *events) info(msg string, args ...any) {
	if e != nil && e.log != nil {
		e.log.Info(msg, args...)
	}
}

func (e *events) debug(msg string, args ...any) {
	if e != nil && e.log != nil {
		e.log.Debug(msg, args...)
	}
}

// tellPlan tells a new plan to the observers and the logger.
func (e *events) tellPlan(msg string, plan optimizer.Plan) {
	if e == nil {
		return
	}
	e.tell(Event{Kind: Planned, Plan: &plan})
	s := plan.Sample
	e.info(msg,
		"mode", plan.Mode.String(), "workers", plan.Workers, "max_workers", plan.MaxWorkers,
		"chunk", plan.ChunkSize, "workload", plan.Workload.String(),
		"sampled", s.Items, "item", s.ItemTime(), "cpu_share", fmt.Sprintf("%.2f", s.ComputeShare()),
		"predicted", plan.PredictedDuration, "speedup", fmt.Sprintf("%.2f", plan.PredictedSpeedup),
		"reason", plan.Reason)
	for _, warning := range plan.Warnings {
		e.info("plan warning", "warning", warning)
	}
}
