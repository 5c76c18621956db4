package executor

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// A Policy guards one call. Do calls call zero or more times, never twice at
// once, and returns what the last call returned or its own error. It must be
// safe for concurrent use.
//
// A policy that limits the rate of calls may declare it by methods Rate() float64 and Burst() int64:
// then the predicted time of a run takes it into account.
type Policy interface {
	Do(ctx context.Context, call func(context.Context) error) error
}

// ErrorMode says what happens to a run when an item fails.
type ErrorMode int

const (
	// FailFast stops the run at the first failure: no new item starts, the
	// context of the running ones is cancelled, and the run returns an
	// [*ItemError] for the lowest index among the failures seen.
	FailFast ErrorMode = iota
	// Collect runs every item and returns all failures as [*Errors].
	Collect
)

// The ranges of settings.
const (
	MaxTargetChunk = time.Hour
	MinMemoryLimit = 1 << 20
)

// DefaultTargetBatch is how long one call of a batch function may take unless
// TargetChunk says otherwise.
const DefaultTargetBatch = time.Second

// DefaultProgressInterval is the least time between two calls of Config.Progress.
const DefaultProgressInterval = 100 * time.Millisecond

// Config are the settings of a run. The zero value decides everything by measuring.
type Config struct {
	// Workers fixes how many calls run at once; 0 means that it is measured.
	Workers int
	// MaxWorkers bounds how many calls run at once; 0 leaves only the optimizer's own bound.
	MaxWorkers int
	// MinWorkers is the minimum of calls that run at once, if there are that many items; 0 and 1 are
	// no bound.
	MinWorkers int
	// ChunkSize fixes how many items a worker claims at a time, and for batches how many items a call
	// is given; 0 means that it is measured.
	ChunkSize int
	// MaxChunkSize bounds the measured size: many bulk APIs have a maximum number of items. 0 is no
	// bound. It excludes ChunkSize.
	MaxChunkSize int
	// TargetChunk is how long a chunk should take, up to [MaxTargetChunk]: 0 is
	// [optimizer.DefaultTargetChunk], for batches [DefaultTargetBatch].
	// It excludes ChunkSize.
	TargetChunk time.Duration
	// ComputeOnly never runs more calls at once than GOMAXPROCS, even if they
	// wait. Workers overrides it.
	ComputeOnly bool
	// LoadAware uses fewer workers on a machine that is busy with other things.
	LoadAware bool
	// SampleSize is how many items are run to measure before the plan is made, 1
	// to [sampling.MaxItems]; 0 takes as many as it needs.
	SampleSize int
	// MemoryLimit bounds the bytes that calls in flight may need together, at
	// least [MinMemoryLimit]; 0 is 80 % of what the host has available.
	MemoryLimit uint64
	// Errors says what happens when an item fails.
	Errors ErrorMode
	// Policies guard every call, the first one outermost.
	Policies []Policy
	// ItemTimeout bounds one call of the function; each attempt has the full time; 0 is no bound. It
	// needs a function that takes a context: see [TimeoutError].
	ItemTimeout time.Duration
	// Plan starts the run with a plan made before instead of a sample. It
	// excludes Workers and SampleSize.
	Plan *optimizer.Plan

	// Window bounds how many items of a [Stream] may have been taken from its input
	// and not been yielded; 0 is [DefaultWindow].
	Window int
	// ReadAhead makes a [Stream] take items from its input as far ahead as Window allows, instead of a
	// small multiple of the calls in flight. It is for an input whose end should be known early and
	// that loses nothing by being read.
	ReadAhead bool
	// Unordered yields the results of a [Stream] as they complete.
	Unordered bool

	// Session, if not nil, is shared with other runs of the same function.
	Session *Session

	code        uintptr  // of the function, 0 if it is not known
	labels      *labels  // nil if they are off
	past        *past    // nil if there is no keeper
	tally       *tally   // nil if nothing observes the run
	syncer      syncer   // nil if there is none
	learned     *learned // what the session has learned
	function    function // the function that the run calls
	rate, burst float64  // of the slowest policy, 0 if none declares a rate: see askRate
	budgets     []budget // amounts per second, of the policies that declare them

	// Name is the name of the run where it is shown: on a page, in metrics, in profiles. If it is
	// empty, the name of the function is used.
	Name string
	// Labels marks the run in CPU profiles, by the labels amorsize_run and amorsize_function of its
	// goroutines, and in execution traces, by a task for the run and a region for each claim. A claim
	// costs some 20 ns more, and 1 µs while a trace is taken. After the run the goroutine has the
	// labels of its context, as after [pprof.Do].
	Labels bool

	// Report, if not nil, is written before the run returns or panics.
	Report *Report
	// Progress is called with the state of the run when items have been completed, at most once per
	// ProgressInterval; when none has been for a second, or for the interval if that is longer; and
	// once at the end. Calls of it never overlap, no lock is held, and no worker waits for it.
	Progress func(Progress)
	// ProgressInterval is the least time between two calls of Progress; 0 is
	// [DefaultProgressInterval].
	ProgressInterval time.Duration
	// Logger logs what is measured and decided, at level Info, and changes of the number of workers,
	// at level Debug.
	Logger *slog.Logger
	// Observers receive the events of the run. See [Observer].
	Observers []Observer
}

// Validate returns a [*ConfigError] for the first setting that is out of
// range or contradicts another one.
func (c *Config) Validate() error {
	for _, n := range []struct {
		field string
		value int
		most  int
	}{
		{"Workers", c.Workers, 0},
		{"MaxWorkers", c.MaxWorkers, 0},
		{"MinWorkers", c.MinWorkers, 0},
		{"ChunkSize", c.ChunkSize, 0},
		{"MaxChunkSize", c.MaxChunkSize, 0},
		{"SampleSize", c.SampleSize, sampling.MaxItems},
		{"Window", c.Window, 1 << 20},
	} {
		switch {
		case n.value < 0:
			return &ConfigError{n.field, n.value, "at least 1, or 0 to find out"}
		case n.most > 0 && n.value > n.most:
			return &ConfigError{n.field, n.value, fmt.Sprintf("1 to %d, or 0 to find out", n.most)}
		}
	}
	if err := c.ranges(); err != nil {
		return err
	}
	for i, p := range c.Policies {
		if missing(p) {
			return &ConfigError{fmt.Sprintf("Policies[%d]", i), nil, "a policy"}
		}
	}
	for i, o := range c.Observers {
		if missing(o) {
			return &ConfigError{fmt.Sprintf("Observers[%d]", i), nil, "an observer"}
		}
	}
	return c.contradiction()
}

// ranges returns an error for a setting that is out of its range. Counts are checked separately.
func (c *Config) ranges() error {
	switch {
	case c.TargetChunk < 0 || c.TargetChunk > MaxTargetChunk:
		return &ConfigError{"TargetChunk", c.TargetChunk, fmt.Sprintf("above 0, up to %v", MaxTargetChunk)}
	case c.MemoryLimit > 0 && c.MemoryLimit < MinMemoryLimit:
		return &ConfigError{"MemoryLimit", c.MemoryLimit, fmt.Sprintf("at least %d bytes", MinMemoryLimit)}
	case c.ItemTimeout < 0:
		return &ConfigError{"ItemTimeout", c.ItemTimeout, "above 0, or 0 for no bound"}
	case c.Errors != FailFast && c.Errors != Collect:
		return &ConfigError{"Errors", int(c.Errors), "FailFast or Collect"}
	case c.ProgressInterval < 0:
		return &ConfigError{"ProgressInterval", c.ProgressInterval, "at least 0"}
	}
	return nil
}

// contradiction returns an error for two settings that exclude each other.
//
//nolint:cyclop // one line for each pair; a table would make every error to find none
func (c *Config) contradiction() error {
	switch {
	case c.Workers > 0 && c.MaxWorkers > 0 && c.Workers > c.MaxWorkers:
		return &ConfigError{"Workers", c.Workers, fmt.Sprintf("at most %d, the bound given on workers", c.MaxWorkers)}
	case c.MinWorkers > 0 && c.MaxWorkers > 0 && c.MinWorkers > c.MaxWorkers:
		return &ConfigError{"MinWorkers", c.MinWorkers, fmt.Sprintf("at most %d, the upper bound given on workers", c.MaxWorkers)}
	case c.MinWorkers > 0 && c.Workers > 0:
		return &ConfigError{"MinWorkers", c.MinWorkers, fmt.Sprintf("unset where the number of workers is fixed (%d)", c.Workers)}
	case c.ChunkSize > 0 && c.TargetChunk > 0:
		return &ConfigError{"ChunkSize", c.ChunkSize, fmt.Sprintf("unset where a chunk's duration is given (%v)", c.TargetChunk)}
	case c.ChunkSize > 0 && c.MaxChunkSize > 0:
		return &ConfigError{"ChunkSize", c.ChunkSize, fmt.Sprintf("unset where a largest chunk is given (%d)", c.MaxChunkSize)}
	case c.Plan != nil && c.Workers > 0:
		return &ConfigError{"Workers", c.Workers, "unset where a plan decides"}
	case c.Plan != nil && c.SampleSize > 0:
		return &ConfigError{"SampleSize", c.SampleSize, "unset where a plan decides"}
	case c.Plan != nil && (c.Plan.Workers < 1 || c.Plan.ChunkSize < 1):
		return &ConfigError{"Plan", fmt.Sprintf("%d workers × chunks of %d", c.Plan.Workers, c.Plan.ChunkSize), "at least 1 × 1"}
	}
	return nil
}

// watched reports whether anything observes the run.
func (c *Config) watched() bool {
	return c.Report != nil || c.Progress != nil || c.Logger != nil || len(c.Observers) > 0
}

// constraints returns the settings that the optimizer needs.
func (c *Config) constraints(items int) optimizer.Constraints {
	return optimizer.Constraints{
		Items: items, Rate: c.rate, Burst: c.burst,
		Workers: c.Workers, MaxWorkers: c.MaxWorkers, MinWorkers: c.MinWorkers,
		ChunkSize: c.ChunkSize, TargetChunk: c.TargetChunk,
		MemoryLimit: c.MemoryLimit,
		ComputeOnly: c.ComputeOnly, LoadAware: c.LoadAware,
	}
}

// paced is a policy that declares the rate at which calls may start, and the burst: how many may start
// at once.
type paced interface {
	Rate() float64
	Burst() int64
}

// missing reports whether v is nil, or a nil pointer: what a constructor returned beside an error that nobody looked at.
func missing(v any) bool {
	if v == nil {
		return true
	}
	of := reflect.ValueOf(v)
	return of.Kind() == reflect.Pointer && of.IsNil()
}

// askRate asks the policies for the lowest rate, and its burst. It asks once, since policies are
// foreign code that must not be called with a lock held.
func (c *Config) askRate() {
	for _, policy := range c.Policies {
		if p, ok := policy.(interface{ Budget() (budget, bool) }); ok {
			if b, ok := p.Budget(); ok {
				c.budgets = append(c.budgets, b)
			}
		}
		if l, ok := policy.(paced); ok {
			if r := l.Rate(); r > 0 && (c.rate == 0 || r < c.rate) {
				c.rate, c.burst = r, float64(l.Burst())
			}
		}
	}
}

// check is Validate, for a run with ctx.
func (c *Config) check(ctx context.Context) error {
	if ctx == nil {
		return &ConfigError{"ctx", nil, "a context"}
	}
	return c.Validate()
}

// learn begins a run of the session. It returns what earlier runs have learned, unless the caller has
// fixed it.
func (c *Config) learn() *learned {
	known := c.Session.begin()
	if c.Plan != nil || c.Workers > 0 || c.SampleSize > 0 {
		return nil
	}
	return known
}
