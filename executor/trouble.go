package executor

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// trouble counts failures of listeners, which don't affect the run.
type trouble struct {
	panics int
	exits  int // calls of runtime.Goexit
}

// warnings describes them.
func (t *trouble) warnings() (all []string) {
	if t.panics > 0 {
		// The values of the panics are left out: they may contain items, and reports are shown
		// to people.
		all = append(all, "listeners panicked "+times(t.panics)+"; the log has the first panic")
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

// guarded calls a listener, in a separate goroutine if needed. A panic is contained; a Goexit
// ends the calling goroutine. mu is not held.
func (e *events) guarded(listener func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil && e.panicked() {
			stack := string(debug.Stack())
			callback.Run(func() { // the default logger may be the listener that panicked
				slog.Default().Error("a listener of a run panicked; the next panics are only counted", "panic", v, "stack", stack)
			})
		} else if v == nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.trouble.exits++
		}
	}()
	if e.teller.began.Store(int64(clock.Now())); !e.gaveUp() {
		listener()
	}
	returned = true
}

// panicked counts a panic, and reports whether it is the first.
func (e *events) panicked() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trouble.panics++
	return e.trouble.panics == 1
}

// gaveUp reports whether nothing more is to be delivered.
func (e *events) gaveUp() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.teller.given
}
