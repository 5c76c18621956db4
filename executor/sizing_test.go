package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestTimedSize(t *testing.T) {
	plan := &optimizer.Plan{Sample: sampling.Sample{Items: 10, ItemNanos: 1000}, ChunkSize: 7}
	sizer := newSizer(&Config{}, plan, nil)
	w := &worker{}
	require.Equal(t, 100, sizer.size(w, 1_000_000, 2), "the target over what the sample had it")
	w.itemNanos = 100
	require.Equal(t, 1000, sizer.size(w, 1_000_000, 2), "the worker's own figures count more")
	require.Equal(t, 250, sizer.size(w, 1000, 2), "half of an even share towards the end")
	require.Equal(t, 50, sizer.size(w, 10, 2), "but nothing shorter than the least chunk")
	w.itemNanos = 1e9
	require.Equal(t, 1, sizer.size(w, 1000, 2))
	sizer.record(10, 10*time.Microsecond)
	require.Equal(t, 100, sizer.size(&worker{}, 1_000_000, 2))
	require.GreaterOrEqual(t, sizer.late(), time.Millisecond)

	bounded := newSizer(&Config{MaxChunkSize: 20}, plan, nil)
	require.Equal(t, 20, bounded.size(&worker{}, 1_000_000, 2))
	unknown := newSizer(&Config{}, &optimizer.Plan{ChunkSize: 7}, nil)
	require.Equal(t, 7, unknown.size(&worker{}, 1_000_000, 2))
	fixed := newSizer(&Config{ChunkSize: 3}, plan, nil)
	require.Equal(t, 3, fixed.size(w, 1_000_000, 2))
	require.Zero(t, fixed.late())
}

func TestLedger(t *testing.T) {
	var l ledger
	a, b := l.admit(false, 3), l.admit(false, 3)
	require.NotNil(t, a)
	require.NotNil(t, b)
	require.Nil(t, l.admit(false, 3), "two helpers and the caller: three cores")
	require.NotNil(t, l.admit(true, 3), "waiting helpers are counted apart")
	a.Add(-1)
	require.NotNil(t, l.admit(false, 3))
}

func TestCostModel(t *testing.T) {
	var m costModel
	for _, n := range []int{1, 4, 16, 64} {
		m.add(n, time.Duration(5000+100*n))
	}
	require.InDelta(t, 5000, m.overhead, 50)
	require.InDelta(t, 100, m.item, 5)
	for range 1000 { // one size only: the fit stays
		m.add(64, 5000+6400)
	}
	require.InDelta(t, 5000, m.overhead, 500)
}
