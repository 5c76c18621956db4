package sizing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// When the size is settled, and to what.
func TestBatchSettle(t *testing.T) {
	looking := func(change func(b *Batch)) *Batch {
		b := &Batch{
			alone: true, most: 1000, target: time.Second, seen: 3, last: 50 * ms,
			model: known(10*ms, ms), bound: sizeBound{largest: 50},
		}
		if change != nil {
			change(b)
		}
		return b
	}
	for name, c := range map[string]struct {
		change       func(b *Batch)
		size, share  int
		want, chosen int
	}{
		"twice as large":        {nil, 100, 500, 100, 100},
		"larger":                {nil, 101, 500, 101, 0},
		"too few seen":          {func(b *Batch) { b.seen = 2 }, 100, 500, 100, 0},
		"no larger share":       {func(b *Batch) { b.seen = 1 }, 100, 50, 50, 50},
		"a larger share":        {func(b *Batch) { b.seen = 1 }, 100, 51, 51, 0},
		"nothing seen":          {func(b *Batch) { b.seen = 0 }, 100, 50, 50, 0},
		"at most":               {func(b *Batch) { b.most = 60 }, 90, 500, 90, 60},
		"foretold":              {func(b *Batch) { b.seen, b.foreseen = 4, true }, 200, 500, 200, 500},
		"foretold, bounded":     {func(b *Batch) { b.seen, b.foreseen, b.most = 4, true, 300 }, 200, 500, 200, 300},
		"foretold, and enough":  {func(b *Batch) { b.seen, b.foreseen = 4, true }, 200, 900, 200, 656},
		"foretold too soon":     {func(b *Batch) { b.foreseen = true }, 200, 500, 200, 0},
		"not foretold":          {func(b *Batch) { b.seen = 4 }, 200, 500, 200, 0},
		"half of it was items":  {func(b *Batch) { b.seen, b.foreseen, b.bound.largest = 4, true, 10 }, 200, 500, 200, 500},
		"less of it was items":  {func(b *Batch) { b.seen, b.foreseen, b.bound.largest = 4, true, 9 }, 200, 500, 200, 0},
		"brief":                 {func(b *Batch) { b.last = briefCall - 1 }, 60, 500, 200, 0},
		"brief, by share":       {func(b *Batch) { b.last = briefCall - 1 }, 60, 150, 150, 0},
		"not brief":             {func(b *Batch) { b.last = briefCall }, 60, 500, 60, 60},
		"brief, nothing larger": {func(b *Batch) { b.last, b.most = 1, 50 }, 50, 500, 50, 50},
		"brief, no share":       {func(b *Batch) { b.last = 1 }, 60, 50, 50, 50},
		"brief, it failed":      {func(b *Batch) { b.last, b.bound.failed = 1, 1 }, 60, 500, 60, 60},
		"brief, nothing seen":   {func(b *Batch) { b.seen, b.last = 0, 0 }, 60, 500, 60, 0},
		"brief, one seen":       {func(b *Batch) { b.seen, b.last = 1, 0 }, 60, 500, 200, 0},
		"a better one":          {func(b *Batch) { b.goodput[6] = 5000 }, 20, 500, 20, 50},
		"a better one, most":    {func(b *Batch) { b.goodput[6], b.most = 5000, 40 }, 20, 500, 20, 40},
		"a better one, share":   {func(b *Batch) { b.goodput[6] = 5000 }, 20, 30, 20, 30},
	} {
		t.Run(name, func(t *testing.T) {
			b := looking(c.change)
			require.Equal(t, c.want, b.settle(c.size, c.share))
			require.Equal(t, c.chosen, b.chosen)
		})
	}
}

// A size of which more was seen than the fit says of the given one.
func TestBetterBatches(t *testing.T) {
	b := &Batch{model: known(0, 10*ms), bound: sizeBound{largest: 1000}} // 100 items a second
	require.Equal(t, 8, b.better(8))
	b.goodput[4] = 200
	require.Equal(t, 8, b.better(8), "of the same size")
	b.goodput[5] = 111
	require.Equal(t, 31, b.better(8))
	b.goodput[5] = 109
	require.Equal(t, 8, b.better(8))
	b.goodput[5], b.goodput[6] = 120, 130
	require.Equal(t, 63, b.better(8))
	b.goodput[6] = 115
	require.Equal(t, 31, b.better(8))
	b.goodput[5], b.goodput[6] = 120, 120
	require.Equal(t, 31, b.better(8), "of two that are equal, the smaller one")
	b.bound.largest = 20
	require.Equal(t, 20, b.better(8))
	b.goodput[30] = 1e6
	require.Equal(t, 20, b.better(8))
	b.model = costModel{}
	require.Equal(t, 8, b.better(8), "nothing is known")
	b = &Batch{model: known(0, 1), bound: sizeBound{largest: 9}}
	b.goodput[2] = 1e10
	require.Equal(t, 3, b.better(1), "of a nanosecond")
}

func TestIdealBatch(t *testing.T) {
	b := &Batch{target: time.Second, bound: sizeBound{largest: 3}}
	require.Equal(t, 3, b.ideal(), "nothing is known")
	b.model.weight = 0.5
	require.Equal(t, 12, b.ideal(), "four times what succeeded")
	b.model = known(1100*time.Microsecond, ms)
	require.Equal(t, 12, b.ideal())
	b.bound.largest = 100
	require.Equal(t, 20, b.ideal(), "95 percent")
	b.alone = true
	require.Equal(t, 72, b.ideal(), "98.5 percent")
	b.target = 41 * ms
	require.Equal(t, 39, b.ideal(), "a call takes no longer than that")
	b.target = 1
	require.Equal(t, 1, b.sufficient())
	b.target, b.model = 10*ms, known(ms, 0)
	require.Equal(t, 400, b.ideal(), "items cost nothing")
	b.model = known(10*ms, 0)
	require.Equal(t, 400, b.ideal())
	b.model = known(10*ms+1, 0)
	require.Equal(t, 1, b.ideal(), "but the call too much")
	b.model = costModel{item: 0.5, fitted: true, overhead: 1}
	require.Equal(t, 131, b.sufficient())
	b.model = costModel{item: 1e-9, fitted: true, overhead: 1e6}
	require.Equal(t, math.MaxInt32, b.sufficient())
	b.model.item = 0
	require.Equal(t, math.MaxInt32, b.sufficient())
	b.target, b.model = time.Second, known(ms, ms)
	b.goodput[7], b.goodput[3] = 100, 200
	require.Equal(t, 7, b.ideal(), "less was seen of it")
}

// A size of which clearly more was seen than of the given one.
func TestNotWorseBatches(t *testing.T) {
	of := func(alone bool, size int, goodput ...float64) int {
		b := &Batch{alone: alone}
		copy(b.goodput[1:], goodput)
		return b.notWorse(size)
	}
	require.Equal(t, 8, of(false, 8, 100, 0, 0, 100))
	require.Equal(t, 8, of(false, 8, 110, 0, 0, 100.1))
	require.Equal(t, 1, of(false, 8, 111, 0, 0, 100))
	require.Equal(t, 3, of(false, 8, 111, 112, 111, 100))
	require.Equal(t, 7, of(false, 8, 111, 112, 113, 100))
	require.Equal(t, 1, of(false, 8, 112, 112, 0, 100), "of two that are equal, the smaller one")
	require.Equal(t, 8, of(true, 8, 150, 0, 0, 100))
	require.Equal(t, 1, of(true, 8, 151, 0, 0, 100))
	require.Equal(t, 8, of(false, 8, 0, 0, 0, 100, 900), "a larger one is none")

	require.Equal(t, 8, of(false, 8, 100, 0, 0, 0), "not tried")
	require.Equal(t, 8, of(false, 8, 100, 0, 95, 0))
	require.Equal(t, 1, of(false, 8, 100, 0, 50, 0), "the one below it is worse already")
	require.Equal(t, 1, of(false, 1), "no class below it")
	require.Equal(t, 1, of(false, 4, 100, 50, 0))
}

// What failed bounds what is larger than all that succeeded.
func TestSizeBound(t *testing.T) {
	s := sizeBound{largest: 8}
	require.Equal(t, 8, s.within(8))
	require.Equal(t, 32, s.within(100))
	require.Equal(t, 30, s.within(30))
	s.failure(20)
	require.Equal(t, sizeBound{largest: 8, failed: 20, patience: firstPatience}, s)
	require.Equal(t, 14, s.within(100), "the middle")
	require.Equal(t, trialPatience, s.trial)
	require.Equal(t, 8, s.within(100), "by one call at a time")
	require.Equal(t, 5, s.within(5))
	s.success(14)
	require.Equal(t, sizeBound{largest: 14, failed: 20, doubt: 1, patience: firstPatience}, s)
	require.Equal(t, 15, s.within(15))
	s.trial = 2
	s.success(14)
	require.Equal(t, sizeBound{largest: 14, failed: 20, doubt: 2, patience: firstPatience, trial: 1}, s)
	s.success(14)
	s.success(14)
	require.Zero(t, s.trial)
	s.failure(14)
	require.Equal(t, 4+failureCounts, s.doubt, "one of its items")
	s.trial = 3
	s.failure(25)
	require.Equal(t, sizeBound{largest: 14, failed: 20, doubt: 20, patience: firstPatience}, s)
	s.failure(19)
	require.Equal(t, sizeBound{largest: 14, failed: 19, patience: firstPatience}, s)
	s.success(14)
	s.failure(19)
	require.Equal(t, 1, s.doubt, "the same")
	s.success(19)
	require.Equal(t, sizeBound{largest: 19, doubt: 1, patience: firstPatience}, s)
	require.Equal(t, 19, s.within(19))
	require.Zero(t, s.trial, "it has succeeded")
	require.Equal(t, 38, s.within(100), "twice what succeeded")
}

// The bound is lifted in the end, and more slowly each time.
func TestSizeBoundIsLifted(t *testing.T) {
	s := sizeBound{largest: 8}
	s.failure(20)
	for range firstPatience - 1 {
		s.success(8)
	}
	require.Equal(t, sizeBound{largest: 8, failed: 20, doubt: 31, patience: firstPatience}, s)
	s.success(8)
	require.Equal(t, sizeBound{largest: 8, patience: 4 * firstPatience}, s)
	s.success(8)
	require.Zero(t, s.doubt)
	s.failure(20)
	require.Equal(t, 4*firstPatience, s.patience)
	for _, c := range []struct{ largest, failed, want int }{{8, 11, 8}, {8, 12, 10}, {1, 2, 1}, {1, 3, 2}, {40, 51, 40}, {40, 52, 46}} {
		s := sizeBound{largest: c.largest, failed: c.failed, patience: 1}
		require.Equal(t, c.want, s.within(1000), "%+v", c)
	}
}
