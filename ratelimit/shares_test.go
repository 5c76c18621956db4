package ratelimit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/scenarios"
	"github.com/amorsize/amorsize/ratelimit"
)

// waits is the longest wait of each kind of caller, and how many calls there were.
type waits struct {
	mu      sync.Mutex
	longest map[string]time.Duration
	calls   map[string]int
}

// loop has so many callers call again and again until ctx ends. A call that is under way
// then has waited, too.
func (w *waits) loop(ctx context.Context, wg *sync.WaitGroup, kind string, callers int, call func(context.Context) error) {
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				since := time.Now()
				err := call(ctx)
				w.mu.Lock()
				w.longest[kind] = max(w.longest[kind], time.Since(since))
				if err == nil {
					w.calls[kind]++
				}
				w.mu.Unlock()
			}
		})
	}
}

func newWaits() *waits {
	return &waits{longest: map[string]time.Duration{}, calls: map[string]int{}}
}

// Calls of a group get their turn beside others under one of its limits, and these get
// theirs.
func TestGroupAmongOthers(t *testing.T) {
	cases := []struct {
		a, b              float64
		burstA, burstB    int
		group, onlyA, onB int
	}{
		{10, 10, 1, 1, 5, 5, 5},
		{10, 10, 1, 1, 1, 5, 0},
		{10, 10, 1, 1, 1, 0, 5},
		{10, 10, 1, 1, 1, 5, 5},
		{10, 10, 5, 1, 1, 5, 5},
		{10, 10, 1, 1, 1, 5, 50},
		{10, 9, 1, 1, 2, 10, 3},
		{10, 30, 1, 1, 1, 5, 5},
		{30, 10, 1, 3, 3, 15, 1},
	}
	for _, c := range cases[:scenarios.Fewer(len(cases))] {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := limiter(t, c.a, c.burstA), limiter(t, c.b, c.burstB)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				w, wg := newWaits(), new(sync.WaitGroup)
				// Calls have no deadline: they would fail before it.
				run := func(kind string, n int, acquire func(context.Context) error) {
					w.loop(ctx, wg, kind, n, func(context.Context) error {
						call, stopped := context.WithCancel(t.Context())
						defer stopped()
						defer context.AfterFunc(ctx, stopped)()
						return acquire(call)
					})
				}
				run("group", c.group, ratelimit.All(a, b).Acquire)
				run("a", c.onlyA, a.Acquire)
				run("b", c.onB, b.Acquire)
				wg.Wait()
				turnA := time.Duration(float64(c.group+c.onlyA) / c.a * float64(time.Second))
				turnB := time.Duration(float64(c.group+c.onB) / c.b * float64(time.Second))
				for kind, turn := range map[string]time.Duration{"group": max(turnA, turnB), "a": turnA, "b": turnB} {
					if kind == "a" && c.onlyA == 0 || kind == "b" && c.onB == 0 {
						continue
					}
					t.Logf("%s: %v, a fair turn is %v, %d calls", kind, w.longest[kind], turn, w.calls[kind])
					require.LessOrEqual(t, w.longest[kind], 2*turn, kind)
				}
			})
		})
	}
}
