package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadcount(t *testing.T) {
	var h headcount
	h.begin(10, 40)
	require.Equal(t, headcount{workers: 1, peak: 1, since: 40, area: 30}, h)
	h.change(50, 5)
	h.change(60, 3)
	require.Equal(t, headcount{workers: 3, peak: 5, since: 60, area: 30 + 10 + 50}, h)
	for i := range MaxChanges + 1 {
		require.Equal(t, &Change{Workers: i}, h.note(Change{Workers: i}))
	}
	require.Len(t, h.changes, MaxChanges)
	require.Equal(t, MaxChanges-1, h.changes[MaxChanges-1].Workers)
}

// Workers keep their seats in order as others leave.
func TestSeats(t *testing.T) {
	p := &pool{cfg: &Config{}, gate: new(gate), idle: make(chan struct{})}
	all := []*worker{{}, {}, {}}
	for i, w := range all {
		p.enter(w)
		require.Equal(t, i, w.seat)
		require.True(t, w.working)
	}
	all[0].items, all[0].chunks, all[0].busy = 4, 3, 2
	p.exit(all[0])
	require.Equal(t, []*worker{all[2], all[1]}, p.workers)
	require.Zero(t, all[2].seat)
	require.Nil(t, p.workers[:3][2], "who is gone is forgotten")
	require.False(t, all[0].working)
	require.Equal(t, []int{4, 3, 2}, []int{p.totals.items, p.totals.chunks, int(p.totals.busy)})
	require.Equal(t, []int{0, 0, 0}, []int{all[0].items, all[0].chunks, int(all[0].busy)})
	p.exit(all[0]) // twice
	require.EqualValues(t, 2, p.running.Load())
	require.Equal(t, 2, p.staff.workers)
	p.closeIfEmpty()
	require.False(t, p.closed)
	p.exit(all[1])
	p.exit(all[2])
	p.closeIfEmpty()
	p.closeIfEmpty()
	<-p.idle
	require.Equal(t, 4, p.totals.items)

	p.halted.Store(true)
	p.enter(all[0])
	require.EqualValues(t, halt, all[0].signal.Load())
}

// Who leaves because there are more than the limit.
func TestSurplus(t *testing.T) {
	p := &pool{cfg: &Config{}, gate: new(gate)}
	all := []*worker{{}, {}, {}}
	p.caller = all[0]
	for _, w := range all {
		p.enter(w)
	}
	p.limit.Store(3)
	require.False(t, p.surplus(all[1]))
	p.limit.Store(2)
	require.False(t, p.surplus(all[0]), "the caller stays where calls compute")
	require.True(t, p.surplus(all[1]))
	require.False(t, all[1].working)
	require.False(t, p.surplus(all[2]))
	p.running.Store(9) // one left just now
	require.False(t, p.surplus(all[2]))
	p.running.Store(2)
	p.limit.Store(1)
	p.adapts.Store(true)
	require.True(t, p.surplus(all[0]))
}

// How far a run may go by itself, and how far those go that share its limit.
func TestPoolAllows(t *testing.T) {
	p := &pool{cfg: &Config{}, top: 50}
	p.allow(30)
	require.EqualValues(t, 30, p.most.Load())
	require.EqualValues(t, 30, p.reach.Load())
	p.shares, p.reachAlone = true, 400
	p.allow(49)
	require.EqualValues(t, 49, p.reach.Load(), "memory bounds all of them")
	p.allow(50)
	require.EqualValues(t, 50, p.most.Load())
	require.EqualValues(t, 400, p.reach.Load(), "that it has few items does not")
	p.reachAlone, p.total = 0, 50
	p.allow(50)
	require.Greater(t, p.reach.Load(), int64(0))
	require.EqualValues(t, p.reachAlone, p.reach.Load())
}
