package remote

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/retry"
)

// Func is a function that workers know by its name. Programs that submit items for it and programs that work them
// register it under the same name; in most cases they are one program.
type Func[T, R any] struct {
	id      string
	fn      func(context.Context, T) (R, error)
	batch   func(context.Context, []T) ([]R, error) // takes many items at once; nil if the function takes one
	opts    []amorsize.Option
	in      Codec[T]
	out     Codec[R]
	invalid error
}

// Register makes a function known to [Work] under a name: letters, digits, and . _ / - between them, up to 100.
// opts say how a worker runs it, as for [amorsize.Execute]; policies are the most useful. A retry policy among
// them belongs to the run: an item that still fails after it has failed for good. How many calls are in flight is
// found by measurement, and kept from one chunk to the next.
//
// Register is meant for package variables, so it returns no error. An invalid name or option, or a name that is
// taken, is returned by every use of the function, and by [Work].
func Register[T, R any](name string, fn func(T) (R, error), opts ...amorsize.Option) *Func[T, R] {
	if fn == nil {
		return RegisterContext[T, R](name, nil, opts...)
	}
	return RegisterContext(name, func(_ context.Context, item T) (R, error) { return fn(item) }, opts...)
}

// RegisterContext is [Register] for a function that takes a context. The context ends when the worker is stopped
// and the grace period has ended, and with the time-out of an item.
func RegisterContext[T, R any](name string, fn func(context.Context, T) (R, error), opts ...amorsize.Option) *Func[T, R] {
	return RegisterCodec(name, fn, JSON[T](), JSON[R](), opts...)
}

// RegisterEach is [RegisterContext] for a function that returns only an error, as [amorsize.ForEach] takes.
func RegisterEach[T any](name string, fn func(context.Context, T) error, opts ...amorsize.Option) *Func[T, struct{}] {
	if fn == nil {
		return RegisterContext[T, struct{}](name, nil, opts...)
	}
	return RegisterContext(name, func(ctx context.Context, item T) (struct{}, error) { return struct{}{}, fn(ctx, item) }, opts...)
}

// RegisterCodec is [RegisterContext] for items and results that are not encoded as JSON.
func RegisterCodec[T, R any](name string, fn func(context.Context, T) (R, error), in Codec[T], out Codec[R], opts ...amorsize.Option) *Func[T, R] {
	f := &Func[T, R]{id: name, fn: fn, opts: opts, in: in, out: out}
	f.invalid = f.validate()
	f.invalid = errors.Join(f.invalid, registered.add(f))
	return f
}

var functionName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?$`)

func (f *Func[T, R]) validate() error {
	if !functionName.MatchString(f.id) {
		return &ConfigError{"Name", fmt.Sprintf("%q", f.id), "1 to 100 letters, digits, and . _ / - between them"}
	}
	if f.fn == nil {
		return &ConfigError{"the function " + f.id, "nil", "a function"}
	}
	if f.in.Encode == nil || f.in.Decode == nil || f.out.Encode == nil || f.out.Decode == nil {
		return &ConfigError{"the codec of " + f.id, "incomplete", "complete, with Encode and Decode"}
	}
	_, err := amorsize.New(f.fn, f.opts...)
	return err
}

// guarded turns a panic into the item's failure: other items are not affected, and a retry would panic again.
func (f *Func[T, R]) guarded(ctx context.Context, item T) (value R, err error) {
	panicked := true
	value, err = guard(func() (R, error) {
		value, err := f.fn(ctx, item)
		panicked = false
		return value, err
	})
	if panicked {
		err = retry.Permanent(err)
	}
	return value, err
}

func (f *Func[T, R]) name() string      { return f.id }
func (f *Func[T, R]) signature() string { return signature(f.in, f.out) }

// problem is what is wrong with the function; some options can be checked only by a stream of its types.
func (f *Func[T, R]) problem(ctx context.Context) error {
	if f.invalid != nil {
		return f.invalid
	}
	for r := range amorsize.Stream(ctx, f.guarded, func(func(T) bool) {}, f.options()...) {
		if r.Err != nil && ctx.Err() == nil {
			return fmt.Errorf("function %s: %w", f.id, r.Err)
		}
	}
	return nil
}

// options are the function's, followed by ours, which override them: a failure affects its item only, chunks may
// end in any order, and the run records the outcomes.
func (f *Func[T, R]) options() []amorsize.Option {
	opts := append([]amorsize.Option{amorsize.WithName(f.id)}, f.opts...) // the name on the live page and in metrics
	return append(opts, amorsize.WithErrors(amorsize.Collect), amorsize.WithUnordered(), amorsize.WithoutJournal())
}

// Name returns the name that the function was registered with.
func (f *Func[T, R]) Name() string { return f.id }

// function is a Func of any types.
type function interface {
	name() string
	signature() string
	problem(ctx context.Context) error
	open(ctx context.Context, limits limits) pipe
}

// registry is what a process has registered. It is the only global state. A function is registered where it is
// declared, like handlers of net/http and drivers of database/sql, so [Work] needs no list of functions that
// somebody forgets to extend.
type registry struct {
	lock      sync.Mutex
	functions []function
}

var registered registry

func (r *registry) add(f function) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, other := range r.functions {
		if other.name() == f.name() {
			return &ConfigError{"Name", fmt.Sprintf("%q", f.name()), "a name that no other registered function has"}
		}
	}
	r.functions = append(r.functions, f)
	return nil
}

func (r *registry) all() []function {
	r.lock.Lock()
	defer r.lock.Unlock()
	return slices.Clone(r.functions)
}
