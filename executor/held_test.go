package executor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
)

// How many workers it takes, of whom some wait in policies.
func TestWorkersFor(t *testing.T) {
	for name, c := range map[string]struct {
		h           held
		limit, most int
		want        int
	}{
		"nobody waits":         {held{}, 10, 0, 10},
		"some wait":            {held{workers: 4, lines: 1}, 10, 0, 14},
		"many wait":            {held{workers: 40, lines: 1}, 10, 0, 20},
		"in two lines":         {held{workers: 40, lines: 2}, 10, 0, 50},
		"in one of many":       {held{workers: 40, lines: 1, many: true}, 10, 0, 50},
		"very many in two":     {held{workers: 3000, lines: 2}, 10, 0, 10 + 2*linesAhead},
		"more than there may":  {held{workers: 1 << 20, lines: 1 << 10}, 10, 0, optimizer.MaxWaiting},
		"a limit beyond that":  {held{workers: 4, lines: 1}, optimizer.MaxWaiting + 1, 0, optimizer.MaxWaiting + 1},
		"some are not watched": {held{workers: 4, unwatched: 3}, 10, 0, 17},
		"the caller's bound":   {held{workers: 4}, 10, 12, 12},
		"a bound of one":       {held{workers: 4}, 1, 1, 1},
		"a lower bound":        {held{workers: 4}, 10, 5, 10},
	} {
		require.Equal(t, c.want, c.h.workersFor(c.limit, c.most), name)
	}
}

// Who is held back, and where.
func TestHeldBack(t *testing.T) {
	busyOne := func() *worker {
		w := &worker{call: &callContext{}}
		w.size.Store(1)
		return w
	}
	waitsIn := func(line waiting.Line) *worker {
		w := busyOne()
		waiting.BeginWith(w.call, line)
		return w
	}
	outside := func() *worker { // in a policy, around the function
		w := busyOne()
		w.policed.measuring.Store(true)
		return w
	}
	within := outside()
	within.policed.inside.Store(true)
	unwatched := waitsIn(waiting.Line{})
	unwatched.early.Store(true)
	between := waitsIn(waiting.Line{})
	between.size.Store(0)

	one, two := new(int), new(int)
	told := waitsIn(waiting.Line{})
	told.early.Store(true) // but a later one is
	told.watching.Store(true)
	p := wired(Config{}, 9)
	p.crew.workers = []*worker{
		busyOne(), told, waitsIn(waiting.Line{Of: one}), outside(), unwatched, between,
	}
	require.Equal(t, held{workers: 2, metered: 1, lines: 1, unwatched: 1}, p.scheduler.heldBack())
	p.cfg.Policies = []Policy{nil}
	p.crew.workers = append(p.crew.workers, within)
	require.Equal(t, held{workers: 3, metered: 2, lines: 1, unwatched: 1}, p.scheduler.heldBack(), "a policy that tells nothing may be a limiter")
	backsOff := waitsIn(waiting.Line{})
	backsOff.policed.measuring.Store(true)
	p.crew.workers = []*worker{backsOff, waitsIn(waiting.Line{Of: one}), waitsIn(waiting.Line{Of: one, OneOfMany: true}), waitsIn(waiting.Line{Of: two})}
	require.Equal(t, held{workers: 4, metered: 3, lines: 2, many: true}, p.scheduler.heldBack())
	p.crew.workers = p.crew.workers[:1]
	require.Equal(t, held{workers: 1}, p.scheduler.heldBack(), "lines are counted anew")
}
