package executor

import (
	"bytes"
	"errors"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// A call that ends its goroutine within a claim has failed; those before it count, unless each was counted, and so does
// what had failed before. The rest of the claim is for others, up to where it was shortened to.
func TestGoexitWithinAClaim(t *testing.T) {
	for name, c := range map[string]struct {
		runner func(w *worker) runner
		ended  int64
	}{
		"calls":    {func(w *worker) runner { return w.runner }, 3},
		"policies": {func(*worker) runner { return newGuarded(calls[int, int]{}, nil) }, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Second) // the clock does not begin with the run
			r, w, _ := working(Config{Errors: Collect}, nil)
			r.outcome.mode = Collect
			r.events = newEvents(&Config{Observers: watching}, 9, clock.Now())
			r.of(source.NewSlice(9, 9))
			r.runner = c.runner(w)
			w.runner = r.runner
			before := fault{span{Lo: 0, Hi: 1}, errors.New("before")}
			w.claimed, w.at, w.to, w.faults = span{Lo: 2, Hi: 9}, 4, 7, []fault{before}
			w.begin(0, 7, clock.Now())
			time.Sleep(3 * time.Second)
			r.goexit(w)
			require.Equal(t, c.ended, w.tally.calls.Ended, name)
			require.EqualValues(t, 1, w.tally.calls.Failed.All(), name)
			require.Len(t, r.outcome.failed, 2, name)
			require.Equal(t, before, r.outcome.failed[0], name)
			require.Equal(t, span{Lo: 4, Hi: 5}, r.outcome.failed[1].span, name)
			require.ErrorIs(t, r.outcome.failed[1].err, ErrGoexit, name)
			require.Equal(t, 2, r.source.Left(), name)
			require.Equal(t, []int{1, 3}, []int{w.chunks, w.items}, name)
			require.Equal(t, 3*time.Second, w.busy, name)
			require.EqualValues(t, 3, r.events.completed.Load(), name)
		})
	}
}

// A helper has the labels of its run from its beginning on, while it waits for its first item.
func TestLabelsOfAHelper(t *testing.T) {
	r, w, _ := working(Config{Name: "night crawl", Labels: true}, func(i int) (int, error) { return i, nil })
	_, unmark := r.cfg.mark(t.Context())
	unmark()
	var goroutines bytes.Buffer
	r.of(ending{source.NewSlice(3, 3), func() { _ = pprof.Lookup("goroutine").WriteTo(&goroutines, 1) }})
	done := make(chan struct{})
	go func() { defer close(done); r.work(w) }()
	<-done
	require.Contains(t, goroutines.String(), `"amorsize_run":"night crawl"`)
}
