package amorsize

import (
	"log/slog"
	"strings"
	"time"

	"github.com/amorsize/amorsize/executor"
)

// Option changes how a run works. Without options everything is decided by measuring.
type Option func(*settings) error

// settings are what options set.
type settings struct {
	executor.Config
	journaling
}

// WithWorkers fixes how many calls run at once, at least 1. Then only the chunk size is measured
// and adapted.
func WithWorkers(n int) Option {
	return set(n > 0, "Workers", n, "at least 1", func(c *settings) { c.Workers = n })
}

// WithMaxWorkers bounds how many calls run at once, at least 1.
func WithMaxWorkers(n int) Option {
	return set(n > 0, "MaxWorkers", n, "at least 1", func(c *settings) { c.MaxWorkers = n })
}

// WithMinWorkers sets the minimum of calls that run at once, at least 1, if there are that many
// items. The measured concurrency never goes below it.
func WithMinWorkers(n int) Option {
	return set(n > 0, "MinWorkers", n, "at least 1", func(c *settings) { c.MinWorkers = n })
}

// WithChunkSize fixes how many items a worker claims at a time, and for
// [ExecuteBatches] how many items each call gets; at least 1.
func WithChunkSize(n int) Option {
	return set(n > 0, "ChunkSize", n, "at least 1", func(c *settings) { c.ChunkSize = n })
}

// WithMaxChunkSize bounds the measured size of chunks and batches, at least 1: many bulk APIs have
// a maximum number of items.
func WithMaxChunkSize(n int) Option {
	return set(n > 0, "MaxChunkSize", n, "at least 1", func(c *settings) { c.MaxChunkSize = n })
}

// WithTargetChunkDuration sets how long a chunk should take, above 0 and up to an
// hour; the default is 100 µs. For [ExecuteBatches] it bounds the time of a call;
// the default is 1 s.
func WithTargetChunkDuration(d time.Duration) Option {
	return set(d > 0 && d <= executor.MaxTargetChunk, "TargetChunk", d, "above 0, up to 1h", func(c *settings) { c.TargetChunk = d })
}

// WithIOConcurrency says whether I/O-bound calls may outnumber the cores. The default is true;
// false keeps the workers at GOMAXPROCS.
func WithIOConcurrency(allowed bool) Option {
	return func(c *settings) error { c.ComputeOnly = !allowed; return nil }
}

// WithLoadAware takes fewer workers on a machine that is busy with other
// things: three quarters from 70 % of CPU load or 75 % of memory in use, half
// from 90 %.
func WithLoadAware() Option {
	return func(c *settings) error { c.LoadAware = true; return nil }
}

// WithSampleSize sets how many items are run and measured before the plan is
// made, 1 to 10000. Without it the sample takes what it needs, some 80 µs.
func WithSampleSize(n int) Option {
	return set(n > 0, "SampleSize", n, "1 to 10000", func(c *settings) { c.SampleSize = n })
}

// WithMemoryLimit bounds what calls in flight may need of memory together, in bytes, at least 1
// MiB. The default is what the host has available. The plan uses 80 % of it. What calls hold is
// measured from the first call on, as live memory; GOMEMLIMIT and the limits of a cgroup bound it
// too. One call that exceeds the limit runs alone, and the report says so.
func WithMemoryLimit(bytes uint64) Option {
	return set(bytes >= executor.MinMemoryLimit, "MemoryLimit", bytes, "at least 1048576 bytes", func(c *settings) { c.MemoryLimit = bytes })
}

// WithErrors says what happens when an item fails: [FailFast], the default,
// stops the run; [Collect] runs all items and returns all failures.
func WithErrors(mode ErrorMode) Option {
	return func(c *settings) error { c.Errors = mode; return nil }
}

// WithPolicies guards every call with the policies, the first one outermost. The order matters: a limiter outside of
// a retrier does not limit retries.
// WithPolicies(retrier, breaker, limiter) is the usual one: every attempt takes a token, the
// breaker sees attempts, and the service never sees more than the rate, even when a closing
// breaker or ending backoffs release many calls at once.
//
// For batch jobs, use a breaker that waits (circuitbreaker.Wait): an outage then pauses the run
// and, with enough retries for its probes, loses no item. A breaker that rejects, the default of its package, would fail all remaining
// items within a second.
//
// The sampled items go through the policies too; waiting in them does not count as the items' own
// time. Policies cost no closure and no allocation per item. If the option is given more than
// once, the policies add up.
func WithPolicies(policies ...Policy) Option {
	return func(c *settings) error { c.Policies = append(c.Policies, policies...); return nil }
}

// WithItemTimeout bounds one call of the function, above 0: the context that it is given ends
// after d. With retries each attempt has the full d, and time spent waiting for policies does not
// count. For [ExecuteBatches] it bounds the call for a batch.
//
// A call that fails after its context has timed out is an [*ItemError] (or [*BatchError]) whose
// cause is a [*TimeoutError], which matches [context.DeadlineExceeded]; the cause of the context
// is the same. Like any timeout, it counts as a sign that the service is overloaded. A function
// that ignores its context keeps running; if it succeeds later, its result counts.
//
// [Execute] refuses the option: its function has no context. It costs a context and a timer per
// call: about 1 µs and four allocations.
func WithItemTimeout(d time.Duration) Option {
	return set(d > 0, "ItemTimeout", d, "above 0", func(c *settings) { c.ItemTimeout = d })
}

// WithWindow bounds how many items of a [Stream] may have been taken from its input and not yet
// been finished by the loop, 1 to 1048576; the default is 4096. It also bounds the calls in
// flight.
func WithWindow(n int) Option {
	return set(n > 0 && n <= 1<<20, "Window", n, "1 to 1048576", func(c *settings) { c.Window = n })
}

// WithReadAhead makes a [Stream] take items from its input as far ahead as [WithWindow] allows,
// instead of a small multiple of the calls in flight. It is for an input whose end should be known
// early and that loses nothing by being read.
func WithReadAhead() Option {
	return func(c *settings) error { c.ReadAhead = true; return nil }
}

// WithUnordered makes a [Stream] yield results as they complete, so that a slow item does not
// delay others.
func WithUnordered() Option {
	return func(c *settings) error { c.Unordered = true; return nil }
}

// WithPlan starts the run with a plan that was made before, by [Optimize] or an earlier run,
// instead of a sample. On a host that differs from the plan's, the run proceeds and the report has
// a warning. The engine still adapts to what it measures.
func WithPlan(plan Plan) Option {
	return func(c *settings) error { c.Plan = &plan; return nil }
}

// WithReport makes the run write its report to r before it returns or panics.
func WithReport(r *Report) Option {
	return set(r != nil, "Report", r, "a pointer to a report", func(c *settings) { c.Report = r })
}

// WithProgress calls report with the progress of the run: when items have been completed, at most
// every 100 ms ([WithProgressInterval]); when none has been for a second, or for the interval if
// that is longer; and once at the end. report is never called twice at once, and no lock is held.
//
// No worker waits for report: items completed during a call of it are part of the next call. At
// its end a run waits for the running call and the last one.
func WithProgress(report func(Progress)) Option {
	return set(report != nil, "Progress", "nil", "a function", func(c *settings) { c.Progress = report })
}

// WithProgressInterval sets the least time between two calls of the function
// of [WithProgress], above 0.
func WithProgressInterval(d time.Duration) Option {
	return set(d > 0, "ProgressInterval", d, "above 0", func(c *settings) { c.ProgressInterval = d })
}

// WithLogger logs to log the plan when it is made, revisions of it, and the outcome, at level
// Info; changes of the number of workers at level Debug. No worker waits for it: see [Observer].
func WithLogger(log *slog.Logger) Option {
	return set(log != nil, "Logger", "nil", "a logger", func(c *settings) { c.Logger = log })
}

// WithName names the run where it is shown: on a page, in metrics, in profiles. The default is the
// name of its function.
func WithName(name string) Option {
	return set(name != "", "Name", `""`, "a name", func(c *settings) { c.Name = name })
}

// WithLabels marks the run in CPU profiles, by the labels amorsize_run and amorsize_function, and
// in execution traces, by a task for the run and a region for each claim of items. In go tool
// pprof -tagfocus and go tool trace it has the name of [WithName].
func WithLabels() Option {
	return func(c *settings) error { c.Labels = true; return nil }
}

// WithObserver passes the events of the run to o. If it is given more than once, each observer
// gets them. No worker waits for them: see [Observer].
func WithObserver(o Observer) Option {
	return func(c *settings) error { c.Observers = append(c.Observers, o); return nil }
}

// set returns an option that calls apply if valid, and otherwise returns an error.
func set(valid bool, field string, value any, want string, apply func(*settings)) Option {
	return func(c *settings) error {
		if !valid {
			return &executor.ConfigError{Field: field, Value: value, Range: want}
		}
		apply(c)
		return nil
	}
}

func configure(opts []Option) (cfg settings, err error) {
	err = apply(&cfg, opts)
	return cfg, err
}

func apply(cfg *settings, opts []Option) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(cfg); err != nil {
			return named(err)
		}
	}
	return nil
}

// optionOf names the option of a field where it is not "With" and the field's name.
var optionOf = map[string]string{
	"TargetChunk": "WithTargetChunkDuration",
	"fn":          "fn",
	"size":        "Batched: size",
	"every":       "Batched: every",
	"ctx":         "ctx",
}

// named makes a configuration error name the option instead of the field that the option sets.
// Only err itself counts: a wrapped configuration error belongs to another run, started by an
// item.
func named(err error) error {
	invalid, ok := err.(*ConfigError) //nolint:errorlint // see above
	if !ok {
		return err
	}
	field, index, _ := strings.Cut(invalid.Field, "[")
	if strings.HasPrefix(field, "With") {
		return err
	}
	option, ok := optionOf[field]
	if !ok {
		option = "With" + field
	}
	switch field {
	case "Policies", "Observers":
		option = "With" + strings.TrimSuffix(field, "s")
		if field == "Policies" {
			option = "WithPolicies"
		}
		option += "[" + index
	}
	return &ConfigError{Field: option, Value: invalid.Value, Range: invalid.Range}
}
