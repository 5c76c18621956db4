package executor

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

// inCall is a worker in a call for so many items since began.
func inCall(items int64, began time.Duration) *worker {
	w := &worker{call: &callContext{}}
	w.size.Store(items)
	w.began.Store(int64(began))
	return w
}

// What is in flight, but for calls that have just begun or are held back.
func TestFlight(t *testing.T) {
	held, outside, within := inCall(1, 0), inCall(1, 0), inCall(1, 0)
	waiting.BeginWith(held.call, waiting.Line{})
	outside.policed.measuring.Store(true)
	within.policed.measuring.Store(true)
	within.policed.inside.Store(true)
	p := &pool{cfg: &Config{Policies: []Policy{passing{}}}, top: 1000, gate: new(gate), uncounted: 3}
	p.ran.Store(10)
	p.workers = []*worker{inCall(0, 0), held, outside, within, inCall(2, 0), inCall(1, time.Second-unitAge), inCall(1, time.Second-unitAge+1)}
	f, size := p.flight(time.Second)
	require.Equal(t, flight{units: 3, young: 1, ended: 7, want: max(3, runtime.GOMAXPROCS(0))}, f)
	require.Equal(t, 1, size)
	p.gate.base.Store(int64(time.Second))
	f, _ = p.flight(time.Second)
	require.Equal(t, 2, f.units, "half of what a call takes")
	p.gate.base.Store(0)
	p.plan.Sample.ItemNanos = 1e9
	f, _ = p.flight(time.Second)
	require.Equal(t, 2, f.units)
	p.plan.Sample.ItemNanos = 0

	p.adapts.Store(true)
	p.limit.Store(40)
	f, _ = p.flight(time.Second)
	require.Equal(t, 160, f.want, "as far as one review goes")
	p.top = 50
	f, _ = p.flight(time.Second)
	require.Equal(t, 50, f.want)
	p.shares = true
	p.gate.inFlight.Store(31)
	f, _ = p.flight(time.Second)
	require.Equal(t, 30, f.units, "in all runs")
	p.gate.inFlight.Store(2)
	f, _ = p.flight(time.Second)
	require.Equal(t, 3, f.units)

	p.batches = &batching{}
	p.gate.inFlight.Store(31)
	f, size = p.flight(time.Second)
	require.Equal(t, 4, f.units, "items")
	require.Equal(t, 1, size)
	require.Equal(t, 50*batchGrowth, f.want)
	p.cfg.ChunkSize = 6
	f, size = p.flight(time.Second)
	require.Equal(t, 6, size)
	require.Equal(t, 50*batchGrowth*6, f.want)
	p.cfg.ChunkSize = 0
	p.workers = []*worker{inCall(10, 0), inCall(20, 0)}
	_, size = p.flight(time.Second)
	require.Equal(t, 15, size)
	p.workers = nil
	_, size = p.flight(time.Second)
	require.Equal(t, 1, size)
}
