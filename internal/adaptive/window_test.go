package adaptive

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What must not count: attempts of another limit, and too few of them.
func TestWindow(t *testing.T) {
	w := window{since: time.Second, epoch: 3, limit: 10, fresh: true}
	require.False(t, w.add(2*time.Second, Attempt{Began: 0, InFlight: 5, Epoch: 2}, 1), "it began under another limit")
	require.False(t, w.add(2*time.Second, Attempt{Began: time.Second, InFlight: 40, Epoch: 3}, 1), "too many were still in flight")
	require.True(t, w.add(2*time.Second, Attempt{Began: time.Second, InFlight: 10, Epoch: 3}, 1))
	w.raised = true
	require.True(t, w.add(2*time.Second, Attempt{Began: 950 * time.Millisecond, InFlight: 5, Epoch: 2}, 1), "just before a raise")
	m := w.measure(2*time.Second, 1, nil)
	require.InDelta(t, 1.025, m.time, 1e-9)
	require.InDelta(t, 10, m.inFlight, 0)

	// Ten calls at once that all take a second: those that have not ended count
	// as far as they have come. Memoryless ones count as time spent only.
	alike := window{fresh: true, calls: 5, seconds: 5, squares: 5, peak: 10}
	open := slices.Repeat([]Attempt{{}}, 5)
	require.InDelta(t, 1, alike.measure(time.Second, 1, open).time, 1e-9)
	memoryless := window{fresh: true, calls: 5, seconds: 5, squares: 10, peak: 10}
	require.InDelta(t, 2, memoryless.measure(time.Second, 1, open).time, 1e-9)
}

func TestUnits(t *testing.T) {
	require.InDelta(t, 0.5, Attempt{Items: 5, Cost: 0.5}.units(), 0)
	require.InDelta(t, 5, Attempt{Items: 5}.units(), 0, "without a cost it is that of its items")
	require.InDelta(t, 1, Attempt{}.units(), 0)
}

// A call counts by what an ordinary one would have taken, as one observation.
func TestWindowAddsUp(t *testing.T) {
	var w window
	require.True(t, w.add(4*time.Second, Attempt{Began: time.Second, InFlight: 4, Cost: 2}, 1))
	require.Equal(t, window{calls: 1, ended: 2, seconds: 1.5, squares: 2.25, inFlight: 4, peak: 4}, w)
	require.True(t, w.add(4*time.Second, Attempt{Began: 3 * time.Second, InFlight: 2, Items: 1}, 1))
	require.Equal(t, window{calls: 2, ended: 3, seconds: 2.5, squares: 3.25, inFlight: 6, peak: 4}, w)

	w = window{fresh: true, epoch: 1, limit: 10}
	require.False(t, w.add(time.Second, Attempt{Cost: 3, InFlight: 1}, 1))
	require.Equal(t, window{fresh: true, epoch: 1, limit: 10, ended: 3}, w, "what does not count has ended all the same")
}

// A window that was raised takes calls from a tenth of an unloaded one before; another
// one only its own, and those with not many more in flight than it allows.
func TestWindowBegan(t *testing.T) {
	raised := window{since: time.Second, epoch: 2, raised: true}
	require.True(t, raised.began(Attempt{Epoch: 2}, 1))
	require.True(t, raised.began(Attempt{Epoch: 1, Began: 900 * time.Millisecond}, 1))
	require.False(t, raised.began(Attempt{Epoch: 1, Began: 900*time.Millisecond - 1}, 1))
	require.True(t, raised.began(Attempt{Epoch: 1, Began: 500 * time.Millisecond}, 5))
	require.False(t, raised.began(Attempt{Epoch: 1, Began: 500*time.Millisecond - 1}, 5))
	for _, c := range []struct{ limit, most int }{{9, 10}, {10, 12}, {20, 23}} {
		w := window{since: time.Second, epoch: 2, limit: c.limit}
		require.True(t, w.began(Attempt{Epoch: 2, InFlight: c.most}, 1), "limit %d", c.limit)
		require.False(t, w.began(Attempt{Epoch: 2, InFlight: c.most + 1}, 1), "limit %d", c.limit)
		require.False(t, w.began(Attempt{Epoch: 1, InFlight: 1, Began: time.Second}, 1), "of another limit")
	}
}

func TestWindowMeasures(t *testing.T) {
	w := window{since: time.Second, calls: 4, ended: 6, seconds: 2, squares: 1.5, inFlight: 20, peak: 9, epoch: 1, limit: 30}
	m := w.measure(4*time.Second, 1, []Attempt{{InFlight: 12, Epoch: 1}})
	require.InDelta(t, math.Sqrt(0.5), m.cv, 1e-12)
	m.cv = 0
	require.Equal(t, measurement{calls: 4, time: 0.5, inFlight: 5, rate: 2, mean: 0.5, begun: 5}, m)

	w.fresh = true
	m = w.measure(4*time.Second, 1, nil)
	require.InDelta(t, 9, m.inFlight, 0, "the most, since the first ones began when there were few")
	require.InDelta(t, 5, m.begun, 0)
	open := []Attempt{{InFlight: 12, Epoch: 1, Began: 4 * time.Second}, {InFlight: 20, Epoch: 0}}
	m = w.measure(4*time.Second, 1, open)
	require.InDelta(t, 12, m.inFlight, 0, "with what is in flight and began in it")
	require.InDelta(t, 0.5, m.time, 1e-12, "what has just begun tells nothing")
	require.InDelta(t, 0.5, m.mean, 0)

	none := window{since: time.Second, calls: 2, ended: 2, inFlight: 2}
	m = none.measure(time.Second, 1, nil)
	require.InDelta(t, instant, m.time, 0, "calls that take no time")
	require.InDelta(t, 2/instant, m.rate, 1)
}

// The mean with calls that have not ended, the share of them that is over following
// from the mean itself in three steps.
func TestWindowUncensored(t *testing.T) {
	w := window{fresh: true, limit: 10, calls: 2, seconds: 2}
	open := []Attempt{{Cost: 2, Began: time.Second}, {Epoch: 7}} // the second is of another limit
	now := time.Second + 1600*time.Millisecond                   // 0.8 s of an ordinary call
	mean := 1.0
	for range 3 {
		mean = 2.8 / (2 + 0.75*0.8/mean)
	}
	require.InDelta(t, mean, w.uncensored(now, 1, measurement{time: 1, cv: 0.5}, open), 1e-12)
	require.InDelta(t, 2.8/2, w.uncensored(now, 1, measurement{time: 1, cv: 1}, open), 1e-12, "memoryless")
	require.InDelta(t, 2.8/2, w.uncensored(now, 1, measurement{time: 1, cv: 3}, open), 1e-12, "nor worse")
	long := []Attempt{{Began: time.Second}}
	require.InDelta(t, 5.0/3, w.uncensored(4*time.Second, 1, measurement{time: 1}, long), 1e-12, "no call is over more than once")
	none := window{fresh: true, limit: 10, calls: 2}
	require.InDelta(t, instant, none.uncensored(0, 1, measurement{time: instant}, nil), 0)
}

// Calls of one length that end together see fewer in flight than there are. Those that
// come as others please do not.
func TestLockstep(t *testing.T) {
	w := window{limit: 8}
	for i := range 8 { // one after the other, a second each
		w.add(time.Second, Attempt{InFlight: 1 + i, Items: 1, Cost: 1}, 1)
	}
	require.InDelta(t, 8, w.measure(time.Second, 1, nil).inFlight, 1e-9)
	w.open = true
	require.InDelta(t, 4.5, w.measure(time.Second, 1, nil).inFlight, 1e-9)
}
