// Package callback runs what users want to have called about an event.
package callback

import (
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// Run calls f. A panic of f is dropped: who only wants to be told must not
// change what happens.
func Run(f func()) {
	defer func() { _ = recover() }()
	f()
}

// Panics counts what callbacks of one object have panicked with. The zero value has
// counted none.
type Panics struct{ n atomic.Int64 }

// Run calls f. A panic of f changes nothing, but is counted, and the first is logged
// with [slog.Default]; name is what is called.
func (p *Panics) Run(name string, f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil && p.n.Add(1) == 1 {
			slog.Default().Error("a callback panicked; the next panics are only counted",
				"callback", name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
	returned = true
}

// Count returns how many there were.
func (p *Panics) Count() int64 { return p.n.Load() }
