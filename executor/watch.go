package executor

import (
	"context"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/callback"
)

// RunInfo says which run an observer is made for.
type RunInfo struct {
	Context  context.Context // the run's; nil if it is not known
	Name     string          // as Config.Name says, or empty
	Function string          // the function's name, as the runtime has it
	Total    int             // items; -1 of a stream
	Started  time.Time
}

// Title returns the run's name, or that of its function.
func (r RunInfo) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Function
}

// Watch has observe be asked for an observer of each run of the process that begins from now on,
// until stop is called; nil is none. It is for what shows or exports all runs, as a page or
// metrics, and is the one thing here that reaches runs that were not told of it: who watches a
// program can't change all its calls. Where nobody watches, it costs a run one load of a pointer.
//
// observe is called before the first item, by a goroutine for which the run waits: it must be quick.
// It is called by several at once. A panic of it is no business of the run's.
func Watch(observe func(RunInfo) Observer) (stop func()) {
	w := &watch{observe}
	watches.change(func(all []*watch) []*watch { return append(slices.Clip(all), w) })
	return func() {
		watches.change(func(all []*watch) []*watch {
			return slices.DeleteFunc(slices.Clone(all), func(one *watch) bool { return one == w })
		})
	}
}

// watch is a call of Watch that has not been stopped.
type watch struct{ observe func(RunInfo) Observer }

// watches are those of the process.
var watches watchList

type watchList struct {
	all atomic.Pointer[[]*watch] // nil for none
	mu  sync.Mutex               // held by who changes it
}

func (l *watchList) change(to func([]*watch) []*watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var before []*watch
	if all := l.all.Load(); all != nil {
		before = *all
	}
	if after := to(before); len(after) > 0 {
		l.all.Store(&after)
	} else {
		l.all.Store(nil)
	}
}

// observed adds the observers of those who watch all runs. A measurement is none: it has no end to
// be told.
func (c *Config) observed(ctx context.Context, total int) {
	if all := watches.all.Load(); all != nil {
		c.Observers = ask(*all, RunInfo{Context: ctx, Name: c.Name, Function: nameOf(c.code), Total: total, Started: time.Now()}, c.Observers)
	}
}

// ask adds the observers of a run to others. It knows no Config, which would have to be on the heap
// in each run, watched or not.
func ask(all []*watch, info RunInfo, others []Observer) []Observer {
	others = slices.Clip(others)
	asked := make(chan struct{})
	go func() { // which may end it
		defer close(asked)
		for _, w := range all {
			callback.Run(func() {
				if o := w.observe(info); o != nil {
					others = append(others, o)
				}
			})
		}
	}()
	<-asked
	return others
}

// codeOf returns where a function begins, by which nameOf finds its name.
func codeOf(fn any) uintptr {
	if v := reflect.ValueOf(fn); v.Kind() == reflect.Func {
		return v.Pointer()
	}
	return 0
}

// nameOf returns the name of a function, empty if it has none.
func nameOf(code uintptr) string {
	if f := runtime.FuncForPC(code); f != nil {
		return f.Name()
	}
	return ""
}
