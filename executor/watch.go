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
	Name     string          // Config.Name, may be empty
	Function string          // the function's name, as the runtime has it
	Total    int             // items; -1 for a stream
	Started  time.Time
}

// Title returns the run's name, or else the name of its function.
func (r RunInfo) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Function
}

// Watch calls observe for an observer of each run of the process that begins from now on, until stop
// is called; observe may return nil for none. It is for code that shows or exports all runs, such as
// a page or metrics. It is the only setting that applies to runs that don't mention it, because such
// code can't change all calls in a program. Without a Watch it costs a run one load of a pointer.
//
// observe is called before the first item, by a goroutine for which the run waits: it must be quick.
// Several goroutines may call it at once. A panic in it does not affect the run.
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
	mu  sync.Mutex               // held to change the list
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

// observed adds the observers of Watch. They don't observe a measurement: it has no Finished event.
func (c *Config) observed(ctx context.Context, total int) {
	if all := watches.all.Load(); all != nil {
		c.Observers = ask(*all, RunInfo{Context: ctx, Name: c.Name, Function: nameOf(c.code), Total: total, Started: time.Now()}, c.Observers)
	}
}

// ask adds the observers of a run to others. It takes no Config, which would otherwise be allocated
// on the heap in each run, watched or not.
func ask(all []*watch, info RunInfo, others []Observer) []Observer {
	others = slices.Clip(others)
	for len(all) > 0 {
		asked := make(chan struct{})
		go func() { // observe may end it: those behind it are asked all the same
			defer close(asked)
			for len(all) > 0 {
				observe := all[0].observe
				all = all[1:]
				callback.Run(func() {
					if o := observe(info); o != nil {
						others = append(others, o)
					}
				})
			}
		}()
		<-asked
	}
	return others
}

// codeOf returns the address of a function, from which nameOf finds its name.
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
