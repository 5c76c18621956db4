package executor

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
)

// events notifies the listeners of a run: its observers, progress function and logger. A nil
// *events notifies nobody.
//
// A worker only queues a notice. A timer starts a goroutine a moment later, which delivers all
// notices and ends, so that no worker ever waits for a listener. At the end of the run another
// goroutine delivers the rest, and the caller waits for it, unless a listener does not return.
// Before wake is called there is no timer.
type events struct {
	listeners
	start  time.Duration
	tally  *tally
	syncer syncer // nil for none

	completed atomic.Int64
	running   atomic.Int64 // workers
	fresh     atomic.Bool  // items were completed since the last call for progress

	mu      sync.Mutex // never held while a listener is called
	news    news
	backlog backlog
	trouble trouble
	teller  teller
}

// listeners are who is told of a run.
type listeners struct {
	observers []Observer
	progress  func(Progress)
	log       *slog.Logger
	interval  time.Duration // least time between two calls for progress
	coarse    bool          // no listener needs ChunkDone
}

// news is what progress tells, as far as it is known.
type news struct {
	total  int
	input  input // of a stream, nil otherwise
	chunks int
	moment Moment
	pace   pace
	synced synced
}

// newEvents returns nil if there are no listeners.
func newEvents(cfg *Config, total int, start time.Duration) *events {
	if cfg.Progress == nil && cfg.Logger == nil && len(cfg.Observers) == 0 {
		return nil
	}
	e := &events{
		listeners: listeners{observers: cfg.Observers, progress: cfg.Progress, log: cfg.Logger, interval: cfg.ProgressInterval},
		start:     start, tally: cfg.tally, syncer: cfg.syncer, news: news{total: total},
	}
	if e.interval == 0 {
		e.interval = DefaultProgressInterval
	}
	e.coarse = !slices.ContainsFunc(e.observers, func(o Observer) bool {
		_, coarse := o.(Coarse)
		return !coarse
	})
	e.running.Store(1)
	e.news.pace.at = start
	e.news.synced = askSynced(e.syncer) // a keeper may have been used by other runs
	e.teller.alarm, e.teller.progress, e.teller.turn = never, start, start
	e.teller.quiet.L = &e.mu
	if e.tally != nil && (e.log != nil || len(e.observers) > 0) {
		e.tally.tell = e.tellPolicy
	}
	return e
}

// beats reports whether progress is sent at intervals.
func (e *events) beats() bool { return e.progress != nil || len(e.observers) > 0 }

// tell queues an event for the observers.
func (e *events) tell(event Event) {
	if e != nil && len(e.observers) > 0 {
		e.put(notice{event: event})
	}
}

// tellPlan queues a new plan for the observers and the logger.
func (e *events) tellPlan(message string, plan optimizer.Plan) {
	if e != nil && (e.log != nil || len(e.observers) > 0) {
		e.put(notice{event: Event{Kind: Planned, Plan: &plan}, message: message})
	}
}

// tellChange queues a change of the number of workers.
func (e *events) tellChange(c *Change) {
	if e != nil && (e.log != nil || len(e.observers) > 0) {
		e.put(notice{event: Event{Kind: LimitChanged, Change: c}, message: "limit"})
	}
}

// tellPolicy queues a change of a policy's state.
func (e *events) tellPolicy(s PolicyState) {
	e.put(notice{event: Event{Kind: PolicyChanged, Policy: &s}, message: "policy"})
	e.freshen()
}

// noted records the state of the run.
func (e *events) noted(m Moment) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.news.moment = m
}

// chunk queues that a chunk of size items is done.
func (e *events) chunk(size int, took time.Duration) {
	if e == nil {
		return
	}
	e.completed.Add(int64(size))
	if !e.coarse {
		e.tell(Event{Kind: ChunkDone, Size: size, Duration: took})
	}
	e.freshen()
}

// freshen makes progress be sent at the next interval.
func (e *events) freshen() {
	if e.beats() && !e.fresh.Load() && e.fresh.CompareAndSwap(false, true) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.schedule(clock.Now())
	}
}

// input is where the items of a stream come from.
type input interface {
	Left() int // source.Many if more may come
	Seen() int
}

// arriving says that the number of items is known when the input has ended.
func (e *events) arriving(from input) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.news.total, e.news.input = -1, from
}

// items returns the number of items, -1 as long as it is not known. mu is held.
func (e *events) items() int {
	if e.news.total < 0 && e.news.input != nil && e.news.input.Left() < source.Many {
		return e.news.input.Seen()
	}
	return e.news.total
}

// counted sets the number of items.
func (e *events) counted(total int) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.news.total = total
}

// staffed records how many workers there are.
func (e *events) staffed(workers int) {
	if e != nil {
		e.running.Store(int64(workers))
	}
}

// put adds a notice.
func (e *events) put(n notice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(n, clock.Now())
}

// add is put with mu held.
func (e *events) add(n notice, now time.Duration) {
	if e.teller.over {
		return
	}
	n.event.Total = e.items()
	n.event.Completed = int(e.completed.Load())
	n.event.Elapsed = now - e.start
	if n.event.Kind == ChunkDone {
		n.event.Chunk = e.news.chunks
		e.news.chunks++
	}
	e.backlog.add(n)
	if waiting := e.backlog.len(); waiting == 1 || waiting == tellAtOnce {
		e.schedule(now)
	}
}

// state returns the progress, with the policies that are in an unusual state; calls are the
// counts of the calls, nil to take them here. mu is held.
func (e *events) state(now time.Duration, calls *Calls, policies []PolicyState) Progress {
	p := Progress{
		Completed: int(e.completed.Load()), Total: e.items(), Elapsed: now - e.start,
		Workers: int(e.running.Load()), Now: e.news.moment, Calls: calls,
	}
	if calls == nil {
		p.Calls = e.tally.snapshot()
	}
	p.Calls.Policies = policies
	p.Failed = e.tally.failures()
	if p.Elapsed > 0 {
		p.Rate = float64(p.Completed) / p.Elapsed.Seconds()
	}
	pause := time.Duration(0)
	for _, s := range policies {
		pause = max(pause, min(s.Left, longestLeft))
	}
	e.news.pace.follow(now, p.Completed, pause > 0)
	if rate := e.news.pace.rate; rate > 0 && p.Total > p.Completed {
		p.Remaining = pause + time.Duration(min(float64(p.Total-p.Completed)/rate*float64(time.Second), float64(longestLeft)))
	}
	return p
}

// synced is the last known state of the keeper's syncs.
type synced struct {
	syncs, lines int64
	took         time.Duration
}

// askSynced asks a keeper. A panic of it does not affect the run.
func askSynced(k syncer) (s synced) {
	if k != nil {
		callback.Run(func() { s.lines, s.syncs, s.took = k.Synced() })
	}
	return s
}

// lookAtKeeper queues what has been synced since the last call. mu is held, but not while the
// keeper is asked.
func (e *events) lookAtKeeper(now time.Duration) {
	if e.syncer == nil || e.log == nil && len(e.observers) == 0 {
		return
	}
	e.mu.Unlock()
	s := askSynced(e.syncer)
	e.mu.Lock()
	if before := e.news.synced; s.syncs > before.syncs {
		e.news.synced = s
		e.add(notice{message: "journal", event: Event{Kind: Synced, Size: int(s.lines - before.lines), Duration: s.took - before.took}}, now)
	}
}

// deliver passes the current notice to the observers and the logger that have not received it
// yet. If one of them ends the goroutine, the next goroutine continues with the ones after it.
func (e *events) deliver() {
	t := &e.teller
	n := &t.notice
	for t.listener < len(e.observers) {
		o := e.observers[t.listener]
		t.listener++
		e.guarded(func() { o.Observe(n.event) })
	}
	if t.listener++; t.listener == len(e.observers)+1 && e.log != nil && n.message != "" {
		e.guarded(func() { logEvent(e.log, n) })
	}
}
