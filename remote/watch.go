package remote

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// Watch reports the runs of the cluster to observers, wherever they are worked, until ctx ends: unfinished runs
// and new ones. It returns ctx's error; while the database is away it keeps trying, and logs that to the cluster's
// logger. observe returns the observer of a run, as for [amorsize.Watch]; nil is none:
//
//	page, err := live.New(live.Options{})
//	go cluster.Watch(ctx, page.Observer)
//
// An observer receives Started, then Progressed once a second, and Finished when the run is complete, canceled
// ([ErrCanceled]) or removed ([ErrNoRun]). A run is observed from outside: Calls counts an item as one call and
// every error as Other, and Workers is how many processes have the function. A paused run has a policy in state
// "paused". The goroutine of Watch calls observers one after the other: they must be quick. One that panics
// receives nothing more. Runs that are unfinished when ctx ends get no Finished.
//
// A look takes one statement for all runs that are kept, and a few for each unfinished run. One of these reads the
// index of the run's results, which grows with the run.
func (c *Cluster) Watch(ctx context.Context, observe func(amorsize.RunInfo) amorsize.Observer) error {
	w := watcher{cluster: c, observe: observe, runs: map[string]*watched{}}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.WarnContext(ctx, "cannot watch runs, retrying", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// watcher has the observed runs.
type watcher struct {
	cluster *Cluster
	observe func(amorsize.RunInfo) amorsize.Observer
	runs    map[string]*watched // by key
	looked  bool                // at least once
}

// watched is an observed run.
type watched struct {
	observer amorsize.Observer // nil if no observer is wanted
	log      *slog.Logger
	created  time.Time // by the database's clock
	last     amorsize.Progress
	glances  [glances]glance // the latest looks, a ring
	looks    int
	over     bool // its end was reported, or came before the first look
}

// glance is what was done at a time.
type glance struct {
	at   time.Duration
	done int
}

const (
	glances = 10        // the rate is that of the last ten looks
	century = 100 * 3e7 // seconds: the end of a longer run is not predicted
)

// look reports what is new of each run.
func (w *watcher) look(ctx context.Context) error {
	now, err := w.cluster.store.Ping(ctx)
	if err != nil {
		return failed("watch", err)
	}
	all, err := w.cluster.store.Runs(ctx, false)
	if err != nil {
		return failed("watch", err)
	}
	kept := map[string]bool{}
	for _, r := range all {
		kept[r.Key] = true
		err = errors.Join(err, w.tell(ctx, r, now)) // an error of one run hides no other
	}
	w.looked = true
	for key, run := range w.runs {
		if !kept[key] {
			run.end(run.last, ErrNoRun)
			delete(w.runs, key)
		}
	}
	return err
}

// tell reports what is new of a run. A run that has ended before the first look is not reported; one that ends
// before the next look is.
func (w *watcher) tell(ctx context.Context, r store.Run, now time.Time) error {
	run := w.runs[r.Key]
	known := w.known(run)
	if closed := r.State == store.RunCanceled || !r.Finished.IsZero(); closed && known {
		w.runs[r.Key] = &watched{over: true}
		return nil
	}
	info, err := w.cluster.info(ctx, r)
	if err != nil {
		return failed("watch", err)
	}
	over := info.State == Complete || info.State == Canceled // marked so or not: the caller that waits for it marks it
	if over && known {
		w.runs[r.Key] = &watched{over: true}
		return nil
	}
	if run == nil || run.over { // or its failed items are run again
		run = w.begin(r)
	}
	return w.news(ctx, run, r, info, now)
}

// known reports whether an ended run needs no report: it had one, or ended before the first look.
func (w *watcher) known(run *watched) bool {
	if run == nil {
		return !w.looked
	}
	return run.over
}

// news reports the progress of a run, or its end.
func (w *watcher) news(ctx context.Context, run *watched, r store.Run, info Info, now time.Time) error {
	switch {
	case info.State == Canceled:
		run.end(run.progress(info, now), ErrCanceled)
	case info.State == Complete:
		why, err := w.ended(ctx, r)
		if err != nil {
			return err
		}
		run.end(run.progress(info, now), why)
	case run.observer != nil:
		_, workers, err := w.cluster.store.Rate(ctx, info.Function)
		if err != nil {
			return failed("watch", err)
		}
		run.tell(info, workers, now)
	}
	return nil
}

// ended returns why a run without chunks has ended: it may have been canceled or removed since it was read.
func (w *watcher) ended(ctx context.Context, r store.Run) (why, err error) {
	if !r.Finished.IsZero() {
		return nil, nil
	}
	again, err := w.cluster.store.Run(ctx, r.Key)
	switch {
	case errors.Is(err, ErrNoRun):
		return ErrNoRun, nil
	case err != nil:
		return nil, failed("watch", err)
	case again.State == store.RunCanceled:
		return ErrCanceled, nil
	}
	return nil, nil
}

func (w *watcher) begin(r store.Run) *watched {
	run := &watched{created: r.Created, log: w.cluster.cfg.Logger}
	w.runs[r.Key] = run
	info := amorsize.RunInfo{Name: r.ID, Function: r.Function, Total: -1, Started: r.Created}
	if run.observer = w.observe(info); run.observer != nil {
		run.tellObserver(amorsize.Event{Kind: amorsize.Started, Total: -1})
	}
	return run
}

// tell reports the progress of the run.
func (r *watched) tell(info Info, workers int, now time.Time) {
	p := r.progress(info, now)
	p.Workers = workers
	first := r.glances[max(0, r.looks-glances+1)%glances]
	r.glances[r.looks%glances] = glance{p.Elapsed, p.Completed}
	if r.looks++; r.looks > 1 && p.Elapsed > first.at { // one look has no rate: the run may have been idle before
		p.Rate = max(0, float64(p.Completed-first.done)/(p.Elapsed-first.at).Seconds())
	}
	if left := float64(p.Total-p.Completed) / p.Rate; p.Rate > 0 && p.Total >= 0 && left < century {
		p.Remaining = time.Duration(left * float64(time.Second))
	}
	if info.State == Paused {
		p.Calls.Policies = []amorsize.PolicyState{{Kind: "remote", Name: info.ID, State: "paused"}}
	}
	r.last = p
	r.tellObserver(amorsize.Event{Kind: amorsize.Progressed, Elapsed: p.Elapsed, Completed: p.Completed, Total: p.Total, Progress: &p})
}

// tellObserver calls the observer. One that panics is not called again: it must not affect the program's work.
func (r *watched) tellObserver(e amorsize.Event) {
	defer func() {
		if v := recover(); v != nil {
			r.log.Error("an observer panicked, and is not called again for the run", "panic", v)
			r.observer = nil
		}
	}()
	r.observer.Observe(e)
}

// progress turns an info into the progress of the run.
func (r *watched) progress(info Info, now time.Time) amorsize.Progress {
	calls := amorsize.Calls{Ended: info.Done}
	calls.Failed.Other = info.Failed
	p := amorsize.Progress{
		Completed: int(info.Done), Total: int(info.Items), Failed: int(info.Failed), Elapsed: max(0, now.Sub(r.created)), Calls: &calls,
	}
	switch {
	case !info.Finished.IsZero():
		p.Elapsed = max(0, info.Finished.Sub(r.created))
	case info.State == Submitting:
		p.Total = -1
	}
	return p
}

// end reports the end of the run, once.
func (r *watched) end(p amorsize.Progress, err error) {
	told := r.over || r.observer == nil
	if r.over = true; told {
		return
	}
	if p.Calls == nil { // it had ended before the first look
		p.Calls = &amorsize.Calls{}
	}
	p.Over, p.Workers, p.Remaining = true, 0, 0
	p.Total = max(p.Total, p.Completed)
	event := amorsize.Event{Elapsed: p.Elapsed, Completed: p.Completed, Total: p.Total}
	event.Kind, event.Progress = amorsize.Progressed, &p
	if r.tellObserver(event); r.observer == nil {
		return
	}
	event.Kind, event.Progress, event.Plan = amorsize.Finished, nil, &amorsize.Plan{}
	event.Report = &amorsize.Report{
		Items: p.Total, Succeeded: p.Completed - p.Failed, Failed: p.Failed, Started: r.created, Elapsed: p.Elapsed, Calls: *p.Calls, Err: err,
	}
	r.tellObserver(event)
}
