package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
)

const ms = time.Millisecond

// known is a model of batches.
func known(overhead, item time.Duration) costModel {
	return costModel{overhead: float64(overhead), item: float64(item), fitted: true, weight: 1}
}

func TestNewBatchSizer(t *testing.T) {
	b := newBatchSizer(&Config{})
	require.Equal(t, &batchSizer{alone: true, short: true, target: time.Second, most: math.MaxInt32, bound: sizeBound{largest: 1}}, b)
	b = newBatchSizer(&Config{Workers: 2, TargetChunk: 7, MaxChunkSize: 5})
	require.Equal(t, &batchSizer{target: 7, most: 5, bound: sizeBound{largest: 1}}, b)
	size, ok := b.settled()
	require.Zero(t, size)
	require.True(t, ok, "it is looked for all along")
	require.True(t, b.ready())
	plan := &optimizer.Plan{ChunkSize: 9}
	b = newBatchSizer(&Config{Plan: plan})
	require.Equal(t, sizeBound{largest: 9}, b.bound)
	size, ok = b.settled()
	require.Equal(t, 9, size)
	require.True(t, ok)
	b = newBatchSizer(&Config{Plan: plan, Workers: 2})
	require.Equal(t, sizeBound{largest: 9}, b.bound)
	require.Zero(t, b.chosen)
	b = newBatchSizer(&Config{})
	require.False(t, b.ready())
	b.chosen = 1
	require.True(t, b.ready())
	b.shorten(false)
	require.False(t, b.short)
	require.Zero(t, b.late())
}

func TestBatchCost(t *testing.T) {
	b := &batchSizer{chosen: 10, seen: 3, model: known(10*ms, ms)}
	require.InDelta(t, 1, b.cost(10), 1e-12)
	require.InDelta(t, 0.75, b.cost(5), 1e-12)
	require.InDelta(t, 1.5, b.cost(20), 1e-12)
	took, calls := b.unit()
	require.InDelta(t, 1, b.cost(10), 1e-12)
	require.Equal(t, 20*ms, took)
	require.Equal(t, 3, calls)
	b = &batchSizer{chosen: 100_000, model: known(0, ms)}
	require.InDelta(t, 1e-3, b.cost(1), 0)
	require.InDelta(t, 1, new(batchSizer).cost(4), 0, "nothing is known")
	b = &batchSizer{chosen: 1, model: known(0, 1)}
	require.InDelta(t, 4, b.cost(4), 0)
}

// A call that takes no time to speak of is made twice, of which the shorter one counts.
func TestBriefBatches(t *testing.T) {
	b := newBatchSizer(&Config{})
	b.succeeded(1, briefCall-1)
	require.Equal(t, 1, b.again)
	require.Zero(t, b.seen)
	require.Zero(t, b.model.weight)
	require.Equal(t, 1, b.size(nil, 100, 1))
	b.succeeded(1, 9*ms)
	require.Zero(t, b.again)
	require.Equal(t, 1, b.seen)
	require.Equal(t, briefCall-1, b.last)
	require.Equal(t, briefCall-1, b.model.time(1))
	b.succeeded(4, briefCall)
	require.Zero(t, b.again)
	require.Equal(t, briefCall, b.last)
	require.Equal(t, 4, b.bound.largest)

	b = newBatchSizer(&Config{})
	b.succeeded(4, ms)
	b.succeeded(2, 3*ms) // of another size
	require.Equal(t, 3*ms, b.last)
	require.Zero(t, b.again)
	b = newBatchSizer(&Config{Workers: 2})
	b.succeeded(1, ms)
	require.Equal(t, ms, b.last, "where others call as well, every one counts")
	b = newBatchSizer(&Config{})
	b.chosen = 1
	b.succeeded(8, 9*ms)
	require.Equal(t, 8, b.bound.largest)
	require.Zero(t, b.again, "the size is settled")
	require.Zero(t, b.seen)
}

// So is one that achieved less than a smaller one.
func TestOddBatches(t *testing.T) {
	b := newBatchSizer(&Config{})
	b.succeeded(1, 10*ms)
	b.succeeded(4, 41*ms)
	require.Equal(t, 4, b.again)
	b.succeeded(4, 45*ms)
	require.Equal(t, 41*ms, b.last)
	b = newBatchSizer(&Config{})
	b.succeeded(1, 10*ms)
	require.False(t, b.odd(4, 40*ms), "as much")
	require.True(t, b.odd(2, 21*ms))
	require.False(t, b.odd(1, 100*ms), "it is no smaller one")
	require.False(t, b.odd(2, 0))
	b.goodput[0] = 1e12
	require.True(t, b.odd(4, time.Nanosecond))
}

// A first call that was cold does not count.
func TestColdBatch(t *testing.T) {
	after := func(second time.Duration, seen int) *batchSizer {
		b := newBatchSizer(&Config{Workers: 2})
		for range seen {
			b.succeeded(1, 100*ms)
		}
		b.succeeded(4, second)
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
		b := newBatchSizer(&Config{Workers: 2})
		b.succeeded(1, 10*ms)
		require.False(t, b.foreseen)
		b.succeeded(11, 20*ms)
		require.False(t, b.foreseen)
		b.succeeded(21, took)
		require.Equal(t, foreseen, b.foreseen, "%v", took)
	}
	b := newBatchSizer(&Config{Workers: 2})
	b.succeeded(5, 10*ms)
	b.succeeded(5, 10*ms)
	require.False(t, b.foreseen, "by one size only")
}

// What was seen of sizes, by powers of two; of larger ones it is doubted more and more.
func TestGoodputOfBatches(t *testing.T) {
	b := newBatchSizer(&Config{Workers: 2})
	b.succeeded(4, 100*ms)
	require.InDelta(t, 40, b.goodput[3], 1e-9)
	b.succeeded(7, 100*ms)
	require.InDelta(t, 47.5, b.goodput[3], 1e-9)
	b.succeeded(8, 100*ms)
	require.InDelta(t, 47.5, b.goodput[3], 1e-9)
	b.goodput[63] = 64
	b.succeeded(4, 4*time.Second/190)
	require.InDelta(t, 47.5+(190-47.5)/4, b.goodput[3], 1e-5)
	require.InDelta(t, 80*65.0/64, b.goodput[4], 1e-9)
	require.InDelta(t, 65, b.goodput[63], 1e-9)
	b = newBatchSizer(&Config{Workers: 2})
	b.succeeded(1, 0)
	require.InDelta(t, 1e9, b.goodput[1], 1)
}

func TestFailedBatches(t *testing.T) {
	b := newBatchSizer(&Config{})
	b.again = 3
	b.failed(9, false)
	require.Zero(t, b.again)
	require.Equal(t, math.MaxInt32, b.most)
	require.Equal(t, 9, b.bound.failed)
	b.failed(8, true)
	require.Equal(t, 7, b.most)
	b.failed(9, true)
	require.Equal(t, 7, b.most)
	b.failed(1, true)
	require.Equal(t, 1, b.most)
}

func TestBatchSizes(t *testing.T) {
	settledAt := func(short bool) *batchSizer {
		return &batchSizer{alone: true, short: short, chosen: 20, most: 1000, bound: sizeBound{largest: 100}}
	}
	require.Equal(t, 20, settledAt(false).size(nil, 1000, 2))
	require.Equal(t, 3, settledAt(true).size(nil, 1000, 2), "an eighth while workers are looked for")
	b := settledAt(false)
	b.again = 1
	require.Equal(t, 1, b.size(nil, 1000, 2))
	b = settledAt(true)
	for size, eighth := range map[int]int{16: 2, 17: 3} {
		b.chosen = size
		require.Equal(t, eighth, b.size(nil, 1000, 2))
	}
	b = settledAt(false)
	b.most = 10
	require.Equal(t, 10, b.size(nil, 1000, 2))
	require.Equal(t, 8, settledAt(false).size(nil, 16, 2), "an even share")
	require.Equal(t, 1, settledAt(false).size(nil, 0, 2))
	b = settledAt(false)
	b.bound.largest, b.bound.patience, b.bound.trial = 5, 1, 1
	require.Equal(t, 5, b.size(nil, 1000, 2))

	fixed := &batchSizer{most: 1000, bound: sizeBound{largest: 10}, model: known(1100*time.Microsecond, ms), target: time.Second}
	require.Equal(t, 20, fixed.size(nil, 10_000, 2), "what the fit says")
	require.Zero(t, fixed.chosen)
	alone := &batchSizer{alone: true, short: true, most: 30, bound: sizeBound{largest: 20}, model: known(ms, ms), target: time.Second, seen: 3, last: 50 * ms}
	require.Equal(t, 30, alone.size(nil, 10_000, 1))
	alone.shorten(false)
	require.Equal(t, 30, alone.chosen)
	alone = &batchSizer{alone: true, most: 30, bound: sizeBound{largest: 20}, seen: 1, last: 50 * ms}
	require.Equal(t, 1, alone.size(nil, 1, 1), "the last one")
	require.Equal(t, 1, alone.chosen)
}

func TestBatchShare(t *testing.T) {
	b := &batchSizer{}
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
