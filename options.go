package amorsize

import (
	"log/slog"
	"strings"
	"time"

	"github.com/amorsize/amorsize/executor"
)

// Option changes how a run is made. Without options everything is decided by
// measuring.
type Option func(*settings) error

// settings are what options set.
type settings struct {
	executor.Config
	journaling
}

// WithWorkers fixes how many calls run at once, at least 1. Nothing is then
// found out or adapted but the size of the chunks.
func WithWorkers(n int) Option {
	return set(n > 0, "Workers", n, "at least 1", func(c *settings) { c.Workers = n })
}

// WithMaxWorkers bounds how many calls run at once, at least 1.
func WithMaxWorkers(n int) Option {
	return set(n > 0, "MaxWorkers", n, "at least 1", func(c *settings) { c.MaxWorkers = n })
}

// WithMinWorkers has at least n calls run at once, at least 1, if there are so
// many items: it is the floor of what is found out.
func WithMinWorkers(n int) Option {
	return set(n > 0, "MinWorkers", n, "at least 1", func(c *settings) { c.MinWorkers = n })
}

// WithChunkSize fixes how many items a worker claims at a time, and for
// [ExecuteBatches] how many items each call gets; at least 1.
func WithChunkSize(n int) Option {
	return set(n > 0, "ChunkSize", n, "at least 1", func(c *settings) { c.ChunkSize = n })
}

// WithMaxChunkSize bounds the size of chunks and batches that is found out, at
// least 1: many bulk interfaces take so many items and no more.
func WithMaxChunkSize(n int) Option {
	return set(n > 0, "MaxChunkSize", n, "at least 1", func(c *settings) { c.MaxChunkSize = n })
}

// WithTargetChunkDuration sets how long a chunk should take, above 0 and up to an
// hour; the default is 100 µs. For [ExecuteBatches] it bounds the time of a call;
// the default is 1 s.
func WithTargetChunkDuration(d time.Duration) Option {
	return set(d > 0 && d <= executor.MaxTargetChunk, "TargetChunk", d, "above 0, up to 1h", func(c *settings) { c.TargetChunk = d })
}

// WithIOConcurrency says whether calls that wait may outnumber the cores. The
// default is true; false keeps the workers at GOMAXPROCS.
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

// WithMemoryLimit bounds what calls in flight may need of memory together, in
// bytes, at least 1 MiB. The default is what the host has available. 80 % of it
// are planned with. What calls hold is known from the first one on, and judged by what is
// live; GOMEMLIMIT and the limits of a cgroup bound it too. One call that exceeds the limit
// runs alone, and the report says so.
func WithMemoryLimit(bytes uint64) Option {
	return set(bytes >= executor.MinMemoryLimit, "MemoryLimit", bytes, "at least 1048576 bytes", func(c *settings) { c.MemoryLimit = bytes })
}

// WithErrors says what happens when an item fails: [FailFast], the default,
// stops the run; [Collect] runs all items and returns all failures.
func WithErrors(mode ErrorMode) Option {
	return func(c *settings) error { c.Errors = mode; return nil }
}

// WithPolicies guards every call with the policies, the first one outermost. Any
// order works. WithPolicies(retrier, breaker, limiter) is the usual one: every
// attempt takes a token, the breaker sees attempts, and the service never sees more
// than the rate, whatever a breaker that closes or delays that end release at once.
//
// A batch wants a breaker that waits (circuitbreaker.Wait): an outage then pauses
// the run and loses no item, where one that rejects, the default of its package,
// would burn all that are left within a second.
//
// The sampled items go through the policies too; waiting in them is not taken for
// the items' own time. Policies cost no closure and no allocation per item. Given
// more than once, they add up.
func WithPolicies(policies ...Policy) Option {
	return func(c *settings) error { c.Policies = append(c.Policies, policies...); return nil }
}

// WithItemTimeout bounds one call of the function, above 0: the context that it is
// given ends after d. With retries each attempt has d to itself, and what policies
// make an item wait does not count. For [ExecuteBatches] it bounds the call for a
// batch.
//
// A call that has failed by then is an [*ItemError] (or [*BatchError]) whose cause is
// a [*TimeoutError], and so [context.DeadlineExceeded]; the cause of the context is
// the same. It says, as any timeout does, that the service has no room for so many
// calls. A function that does not heed its context goes on; if it succeeds later, its
// result counts.
//
// [Execute] refuses the option: its function has no context. It costs a context and a
// timer a call: about 1 µs and four allocations.
func WithItemTimeout(d time.Duration) Option {
	return set(d > 0, "ItemTimeout", d, "above 0", func(c *settings) { c.ItemTimeout = d })
}

// WithWindow bounds how many items of a [Stream] may have been taken from its
// input while the loop is not done with them, 1 to 1048576; the default is 4096.
// It also bounds the calls in flight.
func WithWindow(n int) Option {
	return set(n > 0 && n <= 1<<20, "Window", n, "1 to 1048576", func(c *settings) { c.Window = n })
}

// WithReadAhead has a [Stream] take items from its input as far ahead as [WithWindow] allows,
// instead of a small multiple of the calls in flight: for an input whose end is to be known
// soon, and which loses nothing by having been read.
func WithReadAhead() Option {
	return func(c *settings) error { c.ReadAhead = true; return nil }
}

// WithUnordered has a [Stream] yield results as they complete, so that a slow
// item does not hold up others.
func WithUnordered() Option {
	return func(c *settings) error { c.Unordered = true; return nil }
}

// WithPlan starts the run with a plan that was made before, by [Optimize] or
// an earlier run, instead of a sample. On a host that differs from the plan's
// the run goes on and the report carries a warning. The engine still adapts to
// what it measures.
func WithPlan(plan Plan) Option {
	return func(c *settings) error { c.Plan = &plan; return nil }
}

// WithReport has the run write its report to r before it returns or panics.
func WithReport(r *Report) Option {
	return set(r != nil, "Report", r, "a pointer to a report", func(c *settings) { c.Report = r })
}

// WithProgress has report told how far the run is, as of each call: when items have
// been completed, at most every 100 ms ([WithProgressInterval]); when none has for a
// second, or for the interval if that is longer; and once at the end. It is never
// called twice at once, and with no lock held.
//
// No worker waits for report: what is completed while a call of it is under way is
// part of the next one. A run waits at its end for the call under way and the last one.
func WithProgress(report func(Progress)) Option {
	return set(report != nil, "Progress", "nil", "a function", func(c *settings) { c.Progress = report })
}

// WithProgressInterval sets the least time between two calls of the function
// of [WithProgress], above 0.
func WithProgressInterval(d time.Duration) Option {
	return set(d > 0, "ProgressInterval", d, "above 0", func(c *settings) { c.ProgressInterval = d })
}

// WithLogger tells log the plan while it is made, revisions of it, and the
// outcome, at level Info; changes of the number of workers at level Debug. No worker
// waits for it: see [Observer].
func WithLogger(log *slog.Logger) Option {
	return set(log != nil, "Logger", "nil", "a logger", func(c *settings) { c.Logger = log })
}

// WithName calls the run by a name where it is shown: on a page, in metrics, in profiles. Without
// it, it is called as its function is.
func WithName(name string) Option {
	return set(name != "", "Name", `""`, "a name", func(c *settings) { c.Name = name })
}

// WithLabels marks what the run does in CPU profiles, by the labels amorsize_run and
// amorsize_function, and in execution traces, by a task for the run and a region for each claim of
// items: go tool pprof -tagfocus and go tool trace show it by [WithName].
func WithLabels() Option {
	return func(c *settings) error { c.Labels = true; return nil }
}

// WithObserver tells o the events of the run. Given more than once, all are told. No
// worker waits for them: see [Observer].
func WithObserver(o Observer) Option {
	return func(c *settings) error { c.Observers = append(c.Observers, o); return nil }
}

// set is an option that takes effect if valid, and else is an error.
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

// named has a configuration error name the option instead of the field that the
// option sets. Only err itself counts: a configuration error further down is that
// of another run, which an item made.
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
