package amorsize

import (
	"context"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Execute calls fn once for every item and returns the results in the order of the items. With an
// error, the results so far are returned too. Results of items that failed or were not run are zero;
// Report.Valid says which results count.
//
// The error is an [*ItemError] of the lowest index among the failures seen or,
// with [WithErrors]([Collect]), [*Errors] with all of them; a [*ConfigError] if
// an option is invalid, before any item is run.
func Execute[T, R any](fn func(T) (R, error), items []T, opts ...Option) ([]R, error) {
	call := executor.Func[T, R]{Plain: fn}
	if len(opts) == 0 {
		return executor.Run(context.Background(), call, items, executor.Config{})
	}
	cfg, err := configure(opts)
	if err != nil {
		return nil, err
	}
	return run(context.Background(), call, items, cfg)
}

// ExecuteContext is [Execute] for a function that takes a context. The context that fn gets ends when
// ctx does, or when another item has failed and the run is to stop. If ctx ends first, no further item
// starts. Once the running ones have returned, the error is a [*CanceledError], which matches both the
// context's error and its cause.
//
// For I/O-bound calls, all concurrent runs of ExecuteContext with the same function value share one
// limit on calls in flight and adapt it together, as the runs of an [Engine] do. A closure made for
// each run is a function of its own.
func ExecuteContext[T, R any](ctx context.Context, fn func(context.Context, T) (R, error), items []T, opts ...Option) ([]R, error) {
	call := executor.Func[T, R]{Context: fn}
	if len(opts) == 0 {
		out, err := executor.Run(ctx, call, items, executor.Config{})
		return out, err
	}
	cfg, err := configure(opts)
	if err != nil {
		return nil, err
	}
	return run(ctx, call, items, cfg)
}

// run runs call for all items.
func run[T, R any](ctx context.Context, call executor.Func[T, R], items []T, cfg settings) (out []R, err error) {
	if call.Keeper, err = keeper[T, R](&cfg); err != nil {
		return nil, err
	}
	defer cfg.synced(&err)
	out, err = executor.Run(ctx, call, items, cfg.Config)
	return out, named(err)
}

// ForEach is [ExecuteContext] for a function that returns only an error. It keeps nothing per item.
// [Report].Valid says which items were done.
func ForEach[T any](ctx context.Context, fn func(context.Context, T) error, items []T, opts ...Option) error {
	if fn == nil {
		return &ConfigError{Field: "fn", Value: nil, Range: "a function"}
	}
	_, err := ExecuteContext(ctx, func(ctx context.Context, item T) (struct{}, error) {
		return struct{}{}, fn(ctx, item)
	}, items, opts...)
	return err
}

// ExecuteBatches calls fn with consecutive slices of the items and returns all results in the order of
// the items. fn must return one result for each item it is given and must not keep or change the
// slice. The batch size is chosen by measuring. A call of fn that fails, or returns a different number
// of results, is a [*BatchError]; none of its results count. A function that completed only some of
// its items returns a [*PartialError]. A batch that is refused as too large is split and run again,
// down to one item.
//
// The time of a call is modelled as overhead + n × item. The size is found first, by one call at a
// time: it is the smallest that reaches 98.5 % of the best goodput, as long as a call stays under a
// second ([WithTargetChunkDuration]) and within [WithMaxChunkSize] and [WithMemoryLimit].
// [WithChunkSize] fixes it.
func ExecuteBatches[T, R any](ctx context.Context, fn func(context.Context, []T) ([]R, error), items []T, opts ...Option) (out []R, err error) {
	cfg, err := configure(opts)
	if err != nil {
		return nil, err
	}
	keeper, err := keeper[T, R](&cfg)
	if err != nil {
		return nil, err
	}
	defer cfg.synced(&err)
	out, err = executor.RunBatchesKept(ctx, fn, keeper, items, cfg.Config)
	return out, named(err)
}

// Optimize makes the plan for a run of fn over items, without the run. Only the sample is executed: fn
// is called for the first [Plan].Sample.Items items, and their results are dropped. A plan can be
// saved as JSON and used again with [WithPlan]. Options that fix the number of workers, or a plan, are
// ignored.
//
// If fn fails, or ctx ends, the plan is made from what was measured so far and
// returned with the error.
func Optimize[T, R any](ctx context.Context, fn func(context.Context, T) (R, error), items []T, opts ...Option) (Plan, error) {
	cfg, err := configure(opts)
	if err != nil {
		return Plan{}, err
	}
	plan, err := executor.Measure(ctx, executor.Func[T, R]{Context: fn}, items, cfg.Config)
	return plan, named(err)
}

// A Policy guards one call: a rate limiter, a circuit breaker, retries. Do calls call zero or more
// times, never twice at once, and returns what the last call returned or its own error. It must be
// safe for concurrent use. A policy that limits the rate of calls may declare it by methods Rate()
// float64 and Burst() int64; predictions take it into account.
type Policy = executor.Policy

// What a run takes and reports. These types are aliases: every field is explained in the package that
// defines the type, and listed here.
type (
	// Plan is what a run starts with, and why: Mode, Workers, MaxWorkers, ChunkSize,
	// PredictedDuration, PredictedSpeedup, Limits, Reason, Warnings, and the Sample, Host, Constraints
	// and Candidates that it was made from. Plan.String is one line, Plan.Explain the whole reasoning.
	// A plan can be written as JSON and read again. See [optimizer.Plan].
	Plan = optimizer.Plan
	// Mode says whether a plan runs more than one call at a time: [Serial] or [Parallel].
	Mode = optimizer.Mode
	// Limit is a bound on a plan's workers: Name, Workers, Binding. See [optimizer.Limit].
	Limit = optimizer.Limit
	// Candidate is a number of workers that a plan weighed: Workers, Duration, Speedup.
	Candidate = optimizer.Candidate
	// Constraints are what the caller asked of a plan. See [optimizer.Constraints].
	Constraints = optimizer.Constraints
	// Workload is what a call spends its time on: [CPUBound], [Mixed] or [IOBound].
	Workload = sampling.Workload
	// Sample is what was measured on the first items: Items, Elapsed, ItemNanos, CV, CPUShare,
	// AllocBytes and more. See [sampling.Sample].
	Sample = sampling.Sample
	// Host is what the machine offers: cores, GOMAXPROCS, memory, load. See [sampling.Host].
	Host = sampling.Host
	// Report tells what a run did: Items, Succeeded, Failed, Elapsed, Busy, Plan, PredictedDuration,
	// MeanWorkers, PeakWorkers, Bound, Latency, Timeline, Changes, Calls, Warnings, Err and more.
	// Report.String and Report.Explain are texts to read; Report.Valid says which results count,
	// Report.Goodput how many there were per second. See [executor.Report].
	Report = executor.Report
	// Change is a decision on the number of workers: At, Workers, Reason.
	Change = executor.Change
	// Moment is the state of a run of I/O-bound calls at one time: At, Limit, InFlight, Held, Rate,
	// Latency, Base, Bound. See [executor.Moment].
	Moment = executor.Moment
	// Latencies are how long the calls of a run took: Base (without load), P50, P90, P99, Max.
	Latencies = executor.Latencies
	// Bound names what kept a run from having more calls in flight.
	Bound = executor.Bound
	// Progress tells how far a run is, and how it goes: Completed, Total, Failed, Elapsed, Rate,
	// Remaining, Workers, Now, Calls; Progress.Fraction is from 0 to 1. See [executor.Progress].
	Progress = executor.Progress
	// Calls counts the calls of a run, with their latency, how long policies made them wait, and the
	// state of the policies: Ended, Failed, NotMade, Retried, Latency, Waits, Policies. See
	// [executor.Calls].
	Calls = executor.Calls
	// Failures counts failed calls by cause: Overloaded, TimedOut, Refused, Panicked, Other.
	Failures = executor.Failures
	// Wait is how long calls have waited for one policy: Kind, Name, Calls, Total.
	Wait = executor.Wait
	// PolicyState is the state of a policy: Kind, Name, State, Left.
	PolicyState = executor.PolicyState
	// Histogram counts durations: Count, Sum, Mean, Quantile, Buckets.
	Histogram = executor.Histogram
	// Observer receives the events of a run by its method Observe(Event). See [executor.Observer] for
	// what it may do.
	Observer = executor.Observer
	// Coarse is an Observer that doesn't need [ChunkDone], which makes the run cheaper: see
	// [executor.Coarse].
	Coarse = executor.Coarse
	// ObserverFunc makes a func(Event) an Observer.
	ObserverFunc = executor.ObserverFunc
	// Event is what an Observer receives: Kind, Elapsed, Completed, Total, and depending on Kind
	// Fraction, Plan, Change, Policy, Progress, Report, or Chunk, Size and Duration. See
	// [executor.Event].
	Event = executor.Event
	// RunInfo says which run an observer is made for: Context, Name, Function, Total,
	// Started. See [Watch].
	RunInfo = executor.RunInfo
	// EventKind names the events of a run: [Started] to [Finished].
	EventKind = executor.EventKind
	// Hooks is an Observer whose functions can be registered for a kind of event and removed:
	// On, Remove, RemoveKind, RemoveAll, Len. See [executor.Hooks].
	Hooks = executor.Hooks
	// Hook is what On of [Hooks] returns, for Remove.
	Hook = executor.Hook
	// ErrorMode says what happens to a run when an item fails: [FailFast] or [Collect].
	ErrorMode = executor.ErrorMode
)

// The values of a plan's Mode and Workload, of a report's Bound, of [WithErrors],
// and the events of a run.
const (
	Serial   = optimizer.Serial
	Parallel = optimizer.Parallel

	CPUBound = sampling.CPUBound
	Mixed    = sampling.Mixed
	IOBound  = sampling.IOBound

	BoundByCores    = executor.BoundByCores
	BoundByMemory   = executor.BoundByMemory
	BoundByPolicies = executor.BoundByPolicies
	BoundByService  = executor.BoundByService
	BoundByItems    = executor.BoundByItems
	BoundByCaller   = executor.BoundByCaller

	FailFast = executor.FailFast
	Collect  = executor.Collect

	Started       = executor.Started
	Planning      = executor.Planning
	Planned       = executor.Planned
	ChunkDone     = executor.ChunkDone
	LimitChanged  = executor.LimitChanged
	PolicyChanged = executor.PolicyChanged
	Progressed    = executor.Progressed
	Synced        = executor.Synced
	Finished      = executor.Finished
)

// The errors of a run. Each wraps its cause: errors.Is and errors.As find it.
type (
	// ItemError is the failure of one item: Index, Attempts (0 if the function was never
	// called for it), Err. It does not hold the item.
	ItemError = executor.ItemError
	// BatchError is the failure of one call of a batch function: Index of its first item,
	// Size, Err.
	BatchError = executor.BatchError
	// PartialError is returned by a batch function that completed only some of its items: Failed, the
	// errors of the others by their index in the batch. See [executor.PartialError].
	PartialError = executor.PartialError
	// Errors are all failures of a run with Collect, ordered by index; Unwrap returns them.
	Errors = executor.Errors
	// CanceledError is returned when the context ended a run: Err, the context's error, and Cause.
	CanceledError = executor.CanceledError
	// TimeoutError is the cause of the failure of a call that [WithItemTimeout] ended.
	TimeoutError = executor.TimeoutError
	// PanicError is what a run panics with when the function panicked: Index of the item (-1 if no
	// item's call panicked), Value, and the Stack of the panic.
	PanicError = executor.PanicError
	// ConfigError says which option is invalid: Field, Value, and the Range it may have.
	ConfigError = executor.ConfigError
)

// Causes, for errors.Is.
var (
	// ErrConfig matches every ConfigError.
	ErrConfig = executor.ErrConfig
	// ErrGoexit is the cause of an item's error when the function called
	// runtime.Goexit in a goroutine other than the caller's.
	ErrGoexit = executor.ErrGoexit
	// ErrResultCount is the cause of a batch's error when the batch function
	// returned more or fewer results than it was given items.
	ErrResultCount = executor.ErrResultCount
	// ErrNotRun is the cause of the error of an item that a stream took from its input but did not
	// run, because the stream ended first.
	ErrNotRun = executor.ErrNotRun
)
