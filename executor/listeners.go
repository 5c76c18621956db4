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

// events tells the listeners of a run: its observers, progress function and logger.
// A nil *events tells nobody.
//
// Whoever has news only puts it down. It is told by a goroutine that a timer starts a
// moment later, which ends when all is told, so that no worker ever waits for a
// listener; and at the end of the run by its caller, who waits for a call that is
// under way. Before wake is called there is no timer: a run that is over by then is
// told by its caller alone.
type events struct {
	observers []Observer
	progress  func(Progress)
	log       *slog.Logger
	interval  time.Duration // least time between two calls of progress
	start     time.Duration

	completed atomic.Int64
	running   atomic.Int64 // workers
	fresh     atomic.Bool  // items have been completed since progress was last told

	mu      sync.Mutex // never held while a listener is called
	total   int
	chunks  int
	backlog backlog
	failure failure
	teller  teller
}

// failure is how a listener failed, and who is to hear of it.
type failure struct {
	failed   bool
	panicked *PanicError // nil if it called runtime.Goexit
	run      stopper     // to be stopped
}

// stopper stops a run because a listener panicked or, with nil, called
// [runtime.Goexit]. It is called with no lock of the events held.
type stopper interface{ listenerFailed(*PanicError) }

// newEvents returns nil if nobody wants to be told. run is stopped when a listener fails.
func newEvents(cfg *Config, total int, start time.Duration, run stopper) *events {
	if cfg.Progress == nil && cfg.Logger == nil && len(cfg.Observers) == 0 {
		return nil
	}
	e := &events{
		observers: cfg.Observers, progress: cfg.Progress, log: cfg.Logger,
		interval: cfg.ProgressInterval, total: total, start: start,
	}
	if e.interval == 0 {
		e.interval = DefaultProgressInterval
	}
	e.running.Store(1)
	e.failure.run = run
	e.teller.alarm, e.teller.progress, e.teller.turn = never, start, start
	e.teller.quiet.L = &e.mu
	return e
}

// failed returns whether a listener has failed, and the panic if it was one.
func (e *events) failed() (bool, *PanicError) {
	if e == nil {
		return false, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure.failed, e.failure.panicked
}

// adopt has run stopped from now on, and at once for what has happened before.
func (e *events) adopt(run stopper) {
	if e == nil {
		return
	}
	e.mu.Lock()
	before := e.failure
	e.failure.run = run
	e.mu.Unlock()
	if before.failed {
		run.listenerFailed(before.panicked)
	}
}

// tell tells an event to the observers.
func (e *events) tell(event Event) {
	if e != nil && len(e.observers) > 0 {
		e.put(notice{event: event})
	}
}

// tellPlan tells a new plan to the observers and the logger.
func (e *events) tellPlan(message string, plan optimizer.Plan) {
	if e != nil && (e.log != nil || len(e.observers) > 0) {
		e.put(notice{event: Event{Kind: Planned, Plan: &plan}, message: message})
	}
}

// tellChange tells a change of the number of workers to the logger.
func (e *events) tellChange(c *Change) {
	if e != nil && e.log != nil {
		e.put(notice{change: c, message: "workers"})
	}
}

// chunk tells that a chunk of size items is done.
func (e *events) chunk(size int, took time.Duration) {
	if e == nil {
		return
	}
	e.completed.Add(int64(size))
	e.tell(Event{Kind: ChunkDone, Size: size, Duration: took})
	if e.progress != nil && !e.fresh.Load() && e.fresh.CompareAndSwap(false, true) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.schedule(clock.Now())
	}
}

// counted sets the number of items, -1 as long as it is not known.
func (e *events) counted(total int) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total = total
}

// staffed notes how many workers there are.
func (e *events) staffed(workers int) {
	if e != nil {
		e.running.Store(int64(workers))
	}
}

// dropped returns how many notices were dropped, once there is nothing to tell.
func (e *events) dropped() int {
	if e == nil {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.backlog.numbered - e.backlog.told
}

// finished tells the end of the run, after drain.
func (e *events) finished(r *Report) {
	if e == nil {
		return
	}
	if e.log != nil || len(e.observers) > 0 {
		e.put(notice{event: Event{Kind: Finished, Plan: &r.Plan, Report: r}, message: "done"})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tellDue(func(time.Duration) bool { return false })
	if e.progress != nil {
		e.tellProgress(clock.Now())
	}
}

// put adds a notice.
func (e *events) put(n notice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := clock.Now()
	n.event.Total = e.total
	n.event.Completed = int(e.completed.Load())
	n.event.Elapsed = now - e.start
	if n.change == nil && n.event.Kind == ChunkDone {
		n.event.Chunk = e.chunks
		e.chunks++
	}
	e.backlog.add(n)
	if waiting := e.backlog.len(); waiting == 1 || waiting == tellAtOnce {
		e.schedule(now)
	}
}

// state returns the progress. mu is held.
func (e *events) state(now time.Duration) Progress {
	p := Progress{Completed: int(e.completed.Load()), Total: e.total, Elapsed: now - e.start, Workers: int(e.running.Load())}
	if p.Elapsed > 0 {
		p.Rate = float64(p.Completed) / p.Elapsed.Seconds()
	}
	if p.Rate > 0 && p.Total >= 0 {
		p.Remaining = time.Duration(float64(p.Total-p.Completed) / p.Rate * float64(time.Second))
	}
	return p
}

// deliver tells one notice to the observers and the logger.
func (e *events) deliver(n *notice) {
	if n.change == nil {
		for _, o := range e.observers {
			o.Observe(n.event)
		}
	}
	if e.log == nil || n.message == "" {
		return
	}
	switch {
	case n.change != nil:
		e.log.Debug(n.message, "limit", n.change.Workers, "reason", n.change.Reason, "at", n.change.At)
	case n.event.Kind == Finished:
		r := n.event.Report
		e.log.Info(n.message, "items", r.Items, "succeeded", r.Succeeded, "failed", r.Failed,
			"elapsed", r.Elapsed, "predicted", r.PredictedDuration, "workers", r.MeanWorkers, "err", r.Err)
	default:
		e.logPlan(n)
	}
}

func (e *events) logPlan(n *notice) {
	plan := n.event.Plan
	s := plan.Sample
	e.log.Info(n.message,
		"mode", plan.Mode.String(), "workers", plan.Workers, "max_workers", plan.MaxWorkers,
		"chunk", plan.ChunkSize, "workload", plan.Workload.String(),
		"sampled", s.Items, "item", s.ItemTime(), "cpu_share", fmt.Sprintf("%.2f", s.ComputeShare()),
		"predicted", plan.PredictedDuration, "speedup", fmt.Sprintf("%.2f", plan.PredictedSpeedup),
		"reason", plan.Reason)
	for _, warning := range plan.Warnings {
		e.log.Info("plan warning", "warning", warning)
	}
}
