package executor

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/source"
)

// wired is a run of so many items that has not begun: its parts are there, and know each
// other.
func wired(cfg Config, total int) *run {
	r := &run{job: job{
		cfg: &cfg, parent: context.Background(), ctx: &runContext{Context: context.Background()},
		over: new(atomic.Bool), runner: &calls[int, int]{}, total: total,
	}}
	r.source = source.NewSlice(0, total)
	r.wire()
	r.sharing.tracker = new(flight.Tracker)
	return r
}

// of has r take its items from elsewhere.
func (r *run) of(s source.Source) {
	_, r.arrives = s.(*source.Arrivals)
	r.source, r.crew.source, r.sharing.source, r.scheduler.source = s, s, s, s
}

// A run that is made by its solo is wired as well.
func TestWire(t *testing.T) {
	r := wired(Config{Errors: Collect}, 7)
	require.Same(t, &r.job, r.planner.job)
	require.Same(t, &r.job, r.sharing.job)
	require.Same(t, &r.job, r.scheduler.job)
	require.Same(t, &r.crew, r.scheduler.crew)
	require.Equal(t, Collect, r.outcome.mode)
	require.Equal(t, 7, r.source.Left())
	r.outcome.halt()
	require.True(t, r.over.Load())
	require.True(t, r.crew.stopped)
}
