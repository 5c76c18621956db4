package sizing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// known is a model of batches.
func known(overhead, item time.Duration) costModel {
	return costModel{overhead: float64(overhead), item: float64(item), fitted: true, weight: 1}
}

func TestNewBatch(t *testing.T) {
	b := NewBatch(BatchBounds{Target: time.Second})
	require.Equal(t, &Batch{alone: true, short: true, target: time.Second, most: math.MaxInt32, bound: sizeBound{largest: 1}}, b)
	b = NewBatch(BatchBounds{Fixed: true, Target: 7, Most: 5})
	require.Equal(t, &Batch{target: 7, most: 5, bound: sizeBound{largest: 1}}, b)
	size, ok := b.Settled()
	require.Zero(t, size)
	require.True(t, ok, "it is looked for all along")
	require.True(t, b.Ready())
	b = NewBatch(BatchBounds{Given: 9})
	require.Equal(t, sizeBound{largest: 9}, b.bound)
	size, ok = b.Settled()
	require.Equal(t, 9, size)
	require.True(t, ok)
	b = NewBatch(BatchBounds{Given: 9, Fixed: true})
	require.Equal(t, sizeBound{largest: 9}, b.bound)
	require.Zero(t, b.chosen)
	b = NewBatch(BatchBounds{})
	require.False(t, b.Ready())
	b.chosen = 1
	require.True(t, b.Ready())
	b.Shorten(false)
	require.False(t, b.short)
	require.Zero(t, b.Late())
}

func TestBatchCost(t *testing.T) {
	b := &Batch{chosen: 10, seen: 3, model: known(10*ms, ms)}
	require.InDelta(t, 1, b.Cost(10), 1e-12)
	require.InDelta(t, 0.75, b.Cost(5), 1e-12)
	require.InDelta(t, 1.5, b.Cost(20), 1e-12)
	took, calls := b.Unit()
	require.InDelta(t, 1, b.Cost(10), 1e-12)
	require.Equal(t, 20*ms, took)
	require.Equal(t, 3, calls)
	b = &Batch{chosen: 100_000, model: known(0, ms)}
	require.InDelta(t, 1e-3, b.Cost(1), 0)
	require.InDelta(t, 1, new(Batch).Cost(4), 0, "nothing is known")
	b = &Batch{chosen: 1, model: known(0, 1)}
	require.InDelta(t, 4, b.Cost(4), 0)
}

// A call that takes no time to speak of is made twice, of which the shorter one counts.
func TestBriefBatches(t *testing.T) {
	b := NewBatch(BatchBounds{Target: time.Second})
	b.Succeeded(1, briefCall-1)
	require.Equal(t, 1, b.again)
	require.Zero(t, b.seen)
	require.Zero(t, b.model.weight)
	require.Equal(t, 1, b.Size(0, 100, 1))
	b.Succeeded(1, 9*ms)
	require.Zero(t, b.again)
	require.Equal(t, 1, b.seen)
	require.Equal(t, briefCall-1, b.last)
	require.Equal(t, briefCall-1, b.model.time(1))
	b.Succeeded(4, briefCall)
	require.Zero(t, b.again)
	require.Equal(t, briefCall, b.last)
	require.Equal(t, 4, b.bound.largest)

	b = NewBatch(BatchBounds{Target: time.Second})
	b.Succeeded(4, ms)
	b.Succeeded(2, 3*ms) // of another size
	require.Equal(t, 3*ms, b.last)
	require.Zero(t, b.again)
	b = NewBatch(BatchBounds{Target: time.Second, Fixed: true})
	b.Succeeded(1, ms)
	require.Equal(t, ms, b.last, "where others call as well, every one counts")
	b = NewBatch(BatchBounds{Target: time.Second})
	b.chosen = 1
	b.Succeeded(8, 9*ms)
	require.Equal(t, 8, b.bound.largest)
	require.Zero(t, b.again, "the size is settled")
	require.Zero(t, b.seen)
}

// So is one that achieved less than a smaller one.
func TestOddBatches(t *testing.T) {
	b := NewBatch(BatchBounds{Target: time.Second})
	b.Succeeded(1, 10*ms)
	b.Succeeded(4, 41*ms)
	require.Equal(t, 4, b.again)
	b.Succeeded(4, 45*ms)
	require.Equal(t, 41*ms, b.last)
	b = NewBatch(BatchBounds{Target: time.Second})
	b.Succeeded(1, 10*ms)
	require.False(t, b.odd(4, 40*ms), "as much")
	require.True(t, b.odd(2, 21*ms))
	require.False(t, b.odd(1, 100*ms), "it is no smaller one")
	require.False(t, b.odd(2, 0))
	b.goodput[0] = 1e12
	require.True(t, b.odd(4, time.Nanosecond))
}

// A first call that was cold does not count.
func TestColdBatch(t *testing.T) {
	after := func(second time.Duration, seen int) *Batch {
		b := NewBatch(BatchBounds{Target: time.Second, Fixed: true})
		for range seen {
			b.Succeeded(1, 100*ms)
		}
		b.Succeeded(4, second)
		require.Equal(t, seen+1, b.seen)
		return b
	}
	b := after(50*ms-1, 1)
	require.Zero(t, b.goodput[1])
	require.False(t, b.model.fitted)
	require.Equal(t, 50*ms-1, b.model.time(4))
	b = after(50*ms, 1)
	require.InDelta(t, 10, b.goodput[1], 1e-9)
	require.InDelta(t, 10, after(ms, 2).goodput[1], 1e-9)
	require.True(t, b.model.fitted)
}

func TestForeseenBatches(t *testing.T) {
	for took, foreseen := range map[time.Duration]bool{30 * ms: true, 34_400_000: true, 34_600_000: false, 25_600_000: true, 25_400_000: false} {
		b := NewBatch(BatchBounds{Target: time.Second, Fixed: true})
		b.Succeeded(1, 10*ms)
		require.False(t, b.foreseen)
		b.Succeeded(11, 20*ms)
		require.False(t, b.foreseen)
		b.Succeeded(21, took)
		require.Equal(t, foreseen, b.foreseen, "%v", took)
	}
	b := NewBatch(BatchBounds{Target: time.Second, Fixed: true})
	b.Succeeded(5, 10*ms)
	b.Succeeded(5, 10*ms)
	require.False(t, b.foreseen, "by one size only")
}

// What was seen of sizes, by powers of two; of larger ones it is doubted more and more.
func TestGoodputOfBatches(t *testing.T) {
	b := NewBatch(BatchBounds{Target: time.Second, Fixed: true})
	b.Succeeded(4, 100*ms)
	require.InDelta(t, 40, b.goodput[3], 1e-9)
	b.Succeeded(7, 100*ms)
	require.InDelta(t, 47.5, b.goodput[3], 1e-9)
	b.Succeeded(8, 100*ms)
	require.InDelta(t, 47.5, b.goodput[3], 1e-9)
	b.goodput[63] = 64
	b.Succeeded(4, 4*time.Second/190)
	require.InDelta(t, 47.5+(190-47.5)/4, b.goodput[3], 1e-5)
	require.InDelta(t, 80*65.0/64, b.goodput[4], 1e-9)
	require.InDelta(t, 65, b.goodput[63], 1e-9)
	b = NewBatch(BatchBounds{Target: time.Second, Fixed: true})
	b.Succeeded(1, 0)
	require.InDelta(t, 1e9, b.goodput[1], 1)
}

func TestFailedBatches(t *testing.T) {
	b := NewBatch(BatchBounds{Target: time.Second})
	b.again = 3
	b.Failed(9, false)
	require.Zero(t, b.again)
	require.Equal(t, math.MaxInt32, b.most)
	require.Equal(t, 9, b.bound.failed)
	b.Failed(8, true)
	require.Equal(t, 7, b.most)
	b.Failed(9, true)
	require.Equal(t, 7, b.most)
	b.Failed(1, true)
	require.Equal(t, 1, b.most)
}

func TestBatchSizes(t *testing.T) {
	settledAt := func(short bool) *Batch {
		return &Batch{alone: true, short: short, chosen: 20, most: 1000, bound: sizeBound{largest: 100}}
	}
	require.Equal(t, 20, settledAt(false).Size(0, 1000, 2))
	require.Equal(t, 3, settledAt(true).Size(0, 1000, 2), "an eighth while workers are looked for")
	b := settledAt(false)
	b.again = 1
	require.Equal(t, 1, b.Size(0, 1000, 2))
	b = settledAt(true)
	for size, eighth := range map[int]int{16: 2, 17: 3} {
		b.chosen = size
		require.Equal(t, eighth, b.Size(0, 1000, 2))
	}
	b = settledAt(false)
	b.most = 10
	require.Equal(t, 10, b.Size(0, 1000, 2))
	require.Equal(t, 8, settledAt(false).Size(0, 16, 2), "an even share")
	require.Equal(t, 1, settledAt(false).Size(0, 0, 2))
	b = settledAt(false)
	b.bound.largest, b.bound.patience, b.bound.trial = 5, 1, 1
	require.Equal(t, 5, b.Size(0, 1000, 2))

	fixed := &Batch{most: 1000, bound: sizeBound{largest: 10}, model: known(1100*time.Microsecond, ms), target: time.Second}
	require.Equal(t, 20, fixed.Size(0, 10_000, 2), "what the fit says")
	require.Zero(t, fixed.chosen)
	alone := &Batch{alone: true, short: true, most: 30, bound: sizeBound{largest: 20}, model: known(ms, ms), target: time.Second, seen: 3, last: 50 * ms}
	require.Equal(t, 30, alone.Size(0, 10_000, 1))
	alone.Shorten(false)
	require.Equal(t, 30, alone.chosen)
	alone = &Batch{alone: true, most: 30, bound: sizeBound{largest: 20}, seen: 1, last: 50 * ms}
	require.Equal(t, 1, alone.Size(0, 1, 1), "the last one")
	require.Equal(t, 1, alone.chosen)
}

func TestBatchShare(t *testing.T) {
	b := &Batch{}
	require.Equal(t, 5, b.share(10, 2))
	require.Equal(t, 6, b.share(11, 2))
	require.Equal(t, 10, b.share(10, 0))
	b.model = known(3*ms, ms)
	require.Equal(t, 25, b.share(100, 2), "half of it")
	require.Equal(t, 50, b.share(100, 1))
	require.Equal(t, 3, b.share(8, 2), "what costs as much as the call")
	require.Equal(t, 2, b.share(4, 2), "if there is so much")
	b.chosen = 1
	require.Equal(t, 100, b.share(100, 1), "nobody to share with")
	require.Equal(t, 25, b.share(100, 2))
	b.model = costModel{item: 0.5}
	require.Equal(t, 25, b.share(100, 2))
}
