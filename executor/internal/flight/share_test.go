package flight

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTrackerRuns(t *testing.T) {
	a, b, c := runOf(0, 10), runOf(0, 30), runOf(0, 20)
	g := trackerOf(16, a, b, c)
	late := runOf(0, 40)
	g.Enlist(late, 0)
	_, ceiling := g.law.Bounds()
	require.Equal(t, 40, ceiling, "a run that comes later may reach further")
	g.Delist(late, 0)
	g.Delist(b, 0)
	require.Equal(t, []Run{a, c}, g.runs)
	require.True(t, g.Shared())
	_, ceiling = g.law.Bounds()
	require.Equal(t, 20, ceiling)
	g.Delist(b, 0)
	require.Len(t, g.runs, 2)
	g.Delist(a, 0)
	g.Delist(c, 0)
	require.False(t, g.Shared())
	_, ceiling = g.law.Bounds()
	require.Equal(t, 20, ceiling, "as it was with the last of them")
}

// What a run has of a limit that others share.
func TestTrackerShare(t *testing.T) {
	alone := runOf(0, 10)
	g := trackerOf(16, alone)
	require.Equal(t, 10, g.Share(alone))
	alone.most = 100
	require.Equal(t, 10, g.Share(alone), "the ceiling has not been told of it")
	alone.reach = 100
	g.Rebound(0)
	require.Equal(t, 16, g.Share(alone))
	alone.most = 5
	alone.least = 8
	require.Equal(t, 8, g.Share(alone))

	shared := func(mine, other [2]int, change func(me, you *run)) int {
		me, you := runOf(0, 100), runOf(0, 100)
		g := trackerOf(20, me, you)
		for p, d := range map[*run][2]int{me: mine, you: other} {
			p.busy, p.more = d[0], d[1]
		}
		if change != nil {
			change(me, you)
		}
		return g.Share(me)
	}
	require.Equal(t, 20, shared([2]int{0, 50}, [2]int{0, 0}, nil), "nobody wants any")
	require.Equal(t, 10, shared([2]int{10, 50}, [2]int{10, 50}, nil), "half each")
	require.Equal(t, 17, shared([2]int{3, 50}, [2]int{2, 1}, nil), "what the other leaves")
	require.Equal(t, 4, shared([2]int{1, 50}, [2]int{16, 50}, nil), "not before it has left it")
	require.Equal(t, 1, shared([2]int{0, 50}, [2]int{20, 50}, nil), "one at the least")
	require.Equal(t, 4, shared([2]int{0, 50}, [2]int{20, 50}, func(me, _ *run) { me.least = 4 }))
	require.Equal(t, 7, shared([2]int{0, 50}, [2]int{0, 0}, func(me, _ *run) { me.most = 7 }))
	require.Equal(t, 16, shared([2]int{16, 50}, [2]int{4, 50}, func(_, you *run) { you.most = 4 }), "it may have no more")
}
