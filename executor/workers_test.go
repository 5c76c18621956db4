package executor

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/scenarios"
)

// watchful passes on to a runner, and counts ghosts: helpers that run items
// although they have left. The caller is not looked at: it may be in the midst of
// a block when the alarm makes it a worker.
type watchful struct {
	runner
	helper bool
	ghosts *atomic.Int64
}

func (r watchful) fork() runner { return watchful{r.runner.fork(), true, r.ghosts} }

func (r watchful) run(ctx context.Context, w *worker, s span) error {
	if r.helper && !w.working {
		r.ghosts.Add(1)
	}
	return r.runner.run(ctx, w, s)
}

// A worker that has left runs nothing more, also when it left in the midst of
// measuring the CPU share of calls: it would run beyond the limit, hear no halt,
// and be counted out twice.
func TestNoGhosts(t *testing.T) {
	var ghosts atomic.Int64
	for range scenarios.Fewer(3) {
		func() {
			var session Session
			var nested func(ctx context.Context, depth int) (int, error)
			run := func(ctx context.Context, items []int) error {
				c := &calls[int, int]{fn: Func[int, int]{Context: nested}, items: items, out: make([]int, len(items))}
				return execute(ctx, watchful{c, false, &ghosts}, len(items), Config{Session: &session}, nil)
			}
			nested = func(ctx context.Context, depth int) (int, error) {
				if depth == 0 {
					time.Sleep(time.Millisecond)
					return 1, nil
				}
				return 0, run(ctx, []int{depth - 1, depth - 1, depth - 1, depth - 1})
			}
			for range 2 {
				require.NoError(t, run(t.Context(), []int{5, 5}))
			}
		}()
	}
	require.Zero(t, ghosts.Load(), "workers that had left ran items")
}
