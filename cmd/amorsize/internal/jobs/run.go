package jobs

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// Config is the configuration of a run.
type Config struct {
	Traits
	Items   iter.Seq[items.Item]
	Total   int // of Items; -1 if it is not known
	Attempt Attempt
	Control *Control
	Set     *policies.Set
	Size    Size
	Batch   BatchSize
	Ordered bool // results come in the order of the items
	Bisect  bool // batches that fail are run again in halves
	// Budget is how long the sample takes; 0 is 50 ms, with batches 300 ms.
	Budget time.Duration

	// Name is the displayed name of the run; its sample has none.
	Name string

	Observer Observer
	// Lost is called for items that fail for good, before their slot takes anything new, by several goroutines. It
	// may be nil.
	Lost func(items int)
}

// Observer receives the events of a run. An error of it ends the run.
type Observer interface {
	// Planned receives the plan, once.
	Planned(Plan)
	// Tried receives a job after an attempt, from several goroutines; err is the policies' verdict on the attempt.
	Tried(j *Job, err error) error
	// Over receives a job that has ended, one at a time; Job.Err says how.
	Over(j *Job) error
}

// Traits are the properties of jobs that a run has to know: they differ between commands, requests and calls of a
// function.
type Traits struct {
	Extra []amorsize.Policy // within the others
	Caps  Caps
	// Weigh returns what an item adds to the weight of a job; the weight of a job of several items is at most Most.
	// Nil does not bound jobs.
	Weigh func(items.Item) int
	Most  int
	// Within is set if jobs run within this process: then the engine measures the first ones better than this
	// package could.
	Within bool
	// Seen adds what is needed to judge a failure; nil adds nothing.
	Seen func(*Job, *policies.Seen)
	// Again says which failures are worth a retry unless the caller does; nil leaves it to policies.
	Again func(policies.Seen) bool
	// Key returns the key of a job, and Estimate what it may cost, if the policies ask.
	Key      func(*Job) string
	Estimate func(*Job) float64
}

// Result is the result of a run.
type Result struct {
	Plan   Plan
	Report amorsize.Report // of the part after the sample
	Began  time.Time
	Took   time.Duration
	Err    error // why it ended early, nil if it did not
}

// Run runs the items to their end, or until it is stopped. state shows its progress meanwhile; a caller that reads
// it meanwhile sets when it began.
func Run(cfg Config, state *State) (result Result) {
	r := &run{cfg: cfg, state: state}
	if state.Began.IsZero() {
		state.Began = time.Now()
	}
	state.Total.Store(int64(cfg.Total))
	next, stop := iter.Pull(cfg.Items)
	defer stop()
	r.next = next
	if cfg.Within && cfg.Size.Fixed == 0 && !cfg.Batch.Auto {
		return r.within()
	}
	if cfg.Size.Fixed == 0 || cfg.Batch.Auto {
		r.sample()
	}
	left := -1
	if cfg.Total >= 0 {
		left = max(0, cfg.Total-int(state.Done.Load()))
	}
	cfg.Caps.Start = mostAtOnce
	result.Plan = makePlan(r.observed.cost(), cfg.Size, cfg.Batch, left, cfg.Caps, knownRate(cfg.Set))
	state.Slots.Store(int64(result.Plan.Slots))
	state.planned.Store(int64(time.Since(state.Began)))
	state.sampled.Store(state.Done.Load())
	cfg.Observer.Planned(result.Plan)
	r.stream(r.cut(result.Plan.Batch), &result.Plan, amorsize.WithReport(&result.Report), amorsize.WithName(cmp.Or(r.cfg.Name, "run")))
	for cfg.Bisect && len(r.halves) > 0 && cfg.Control.Stopped() == nil {
		halves := r.halves
		r.halves = nil
		r.stream(slices.Values(halves), &result.Plan)
	}
	result.Began, result.Took, result.Err = state.Began, time.Since(state.Began), cfg.Control.Stopped()
	return result
}

// knownRate returns the calls per second that the policies allow, 0 if the rate is to be found.
func knownRate(set *policies.Set) float64 {
	if set.Limiter == nil || set.Adapts() {
		return 0
	}
	return set.Limiter.Rate()
}

type run struct {
	cfg      Config
	state    *State
	next     func() (items.Item, bool)
	held     *items.Item // read, but too much for the job before
	jobs     int         // taken so far
	slots    slots
	observed observations
	halves   []*Job
}

// take returns a job of up to n items, within their maximum weight; nil at the end.
func (r *run) take(n int) *Job {
	var j *Job
	weight := 0
	for range n {
		item, ok := r.item()
		if !ok {
			break
		}
		if r.cfg.Weigh != nil && n > 1 {
			if weight += r.cfg.Weigh(item); j != nil && weight > r.cfg.Most {
				r.held = &item
				break
			}
		}
		if j == nil {
			j = &Job{Batch: make([]items.Item, 0, min(n, 1<<14)), Place: r.jobs}
			r.jobs++
		}
		j.Batch = append(j.Batch, item)
	}
	return j
}

// item returns the next item.
func (r *run) item() (items.Item, bool) {
	if held := r.held; held != nil {
		r.held = nil
		return *held, true
	}
	return r.next()
}

// cut makes jobs of the remaining items.
func (r *run) cut(n int) iter.Seq[*Job] {
	return func(yield func(*Job) bool) {
		for j := r.take(n); j != nil; j = r.take(n) {
			if !yield(j) {
				return
			}
		}
	}
}

// window is how many jobs may be unfinished: read, running, or run but not passed on. It bounds the memory
// whatever the number of items.
func window(p *Plan) int {
	return max(1024/p.Batch, 8, min(2*p.Slots+2, 1<<15), min(p.Most/p.Batch, 4096))
}

// stream runs jobs through the engine, and passes on their results.
func (r *run) stream(list iter.Seq[*Job], p *Plan, opts ...amorsize.Option) {
	works := window(p)
	if files := r.cfg.Caps.Files; files > 0 { // waiting results hold files, too
		works = min(works, max(files, 2*p.Slots+2))
	}
	if kept := r.cfg.Caps.Works; kept > 0 {
		works = min(works, max(kept, p.Slots+1))
	}
	if p.Fixed && p.Binding == "files" {
		works = p.Slots + 2
	}
	opts = append([]amorsize.Option{
		// The end of the input is searched ahead: it shows how much there is to do.
		amorsize.WithReadAhead(),
		// A slot takes one job at a time, so jobs begin in the order in which they came.
		p.engine(), amorsize.WithChunkSize(1), amorsize.WithErrors(amorsize.Collect), amorsize.WithWindow(works),
		amorsize.WithPolicies(slices.Concat([]amorsize.Policy{outermost{r}}, r.cfg.Set.Policies(), r.ofItems(), r.cfg.Extra)...),
		amorsize.WithProgress(func(at amorsize.Progress) {
			if !p.Fixed && at.Workers > 0 {
				r.state.Slots.Store(int64(at.Workers))
			}
		}),
	}, opts...)
	if !r.cfg.Ordered {
		opts = append(opts, amorsize.WithUnordered())
	}
	for result := range amorsize.Stream(r.cfg.Control.Context(), r.call, list, opts...) {
		if result.Index < 0 {
			if r.cfg.Control.Stopped() == nil {
				r.cfg.Control.Stop(result.Err)
			}
			continue
		}
		j := result.Item
		if _, ended := errors.AsType[*amorsize.CanceledError](result.Err); ended {
			j.Release() // it was not run, or was stopped by the end of the run: neither done nor failed
			continue
		}
		j.Took = result.Duration
		r.over(j, result.Err)
	}
}

// outermost is the policy that sees the final outcome of a job.
type outermost struct{ r *run }

// Do makes the call, and reports a failure.
func (o outermost) Do(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	if err == nil || o.r.cfg.Lost == nil {
		return err
	}
	f, ok := policies.AsFailure(err)
	if halved := ok && o.r.cfg.Bisect && f.Items > 1; ok && !halved && !errors.Is(err, policies.ErrGaveUp) {
		o.r.cfg.Lost(f.Items)
	}
	return err
}

// over passes on a job that has ended, unless it did not really run.
func (r *run) over(j *Job, err error) {
	var item *amorsize.ItemError
	if errors.As(err, &item) {
		err = item.Err
	}
	var open *circuitbreaker.OpenError
	if errors.As(err, &open) || errors.Is(err, policies.ErrGaveUp) {
		r.giveUp()
		j.Release()
		return
	}
	if err != nil && r.cfg.Bisect && len(j.Batch) > 1 {
		j.Release()
		half := len(j.Batch) / 2
		r.halves = append(r.halves, &Job{Batch: j.Batch[:half], Place: j.Place}, &Job{Batch: j.Batch[half:], Place: j.Place})
		return
	}
	j.Err = err
	r.state.Done.Add(int64(len(j.Batch)))
	if err != nil {
		r.state.Failed.Add(int64(len(j.Batch)))
	}
	if err := r.cfg.Observer.Over(j); err != nil {
		r.cfg.Control.Stop(err)
	}
}

// call is one attempt at a job. It returns the attempt's cost.
func (r *run) call(ctx context.Context, j *Job) (cost float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	j.Release()
	j.Tries++
	j.Cost = -1
	r.state.begin()
	slot := r.slots.take()
	err = r.cfg.Attempt(ctx, j, slot)
	r.slots.give(slot)
	r.state.end(j, err)
	if err != nil {
		err = r.judge(j, err)
	}
	if failure := r.cfg.Observer.Tried(j, err); failure != nil {
		r.cfg.Control.Stop(failure)
	}
	return j.Cost, err
}
