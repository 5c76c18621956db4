package executor

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// trouble is what listeners have done that is no business of the run's.
type trouble struct {
	panics int
	first  any // what the first one panicked with
	exits  int // calls of runtime.Goexit
}

// warnings tells of it.
func (t *trouble) warnings() (all []string) {
	if t.panics > 0 {
		all = append(all, fmt.Sprintf("listeners panicked %s: %v", times(t.panics), t.first))
	}
	if t.exits > 0 {
		all = append(all, fmt.Sprintf("listeners called runtime.Goexit %s", times(t.exits)))
	}
	return all
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// guarded calls a listener, in a goroutine of its own if need be: a panic goes no further, and a
// Goexit ends what it was called by. mu is not held.
func (e *events) guarded(listener func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		e.mu.Lock()
		defer e.mu.Unlock()
		if v == nil {
			e.trouble.exits++
			return
		}
		if e.trouble.panics++; e.trouble.panics == 1 {
			e.trouble.first = v
			slog.Default().Error("a listener of a run panicked; the next panics are only counted", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	listener()
	returned = true
}
