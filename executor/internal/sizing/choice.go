package sizing

import (
	"math"
	"math/bits"
)

// Which size the batches so far speak for.

// share returns how many of the items left a worker should get at the most: half of an
// even share, so that the last ones even out what the others got wrong, but no fewer
// than what costs as much as the call itself. One worker has nobody to share with.
func (b *Batch) share(left, workers int) int {
	workers = max(1, workers)
	even := (left + workers - 1) / workers
	if b.model.item <= 0 || workers == 1 && b.chosen > 0 {
		return even
	}
	return min(even, max(even/2, int(b.model.overhead/b.model.item)))
}

// settle keeps the size that the batches so far speak for, if the next one would
// tell nothing new: it would not be much larger, or the fit has foretold the latest,
// of which half was items. share is the largest that leaves enough batches to share out.
func (b *Batch) settle(size, share int) int {
	const enough = 3
	size = min(size, share)
	// A call that takes no time to speak of tells little: a machine that is busy with
	// something else disturbs it by as much.
	if b.seen > 0 && b.last < briefCall && b.bound.largest < min(share, b.most) && b.bound.failed == 0 {
		return min(b.bound.largest*BatchGrowth, share)
	}
	known := b.seen > enough && b.foreseen && float64(b.bound.largest)*b.model.item >= b.model.overhead
	if b.seen >= enough && size <= 2*b.bound.largest || b.seen > 0 && share <= b.bound.largest {
		b.chosen = min(b.better(size), b.most, share)
	} else if known {
		b.chosen = min(b.sufficient(), b.most, share)
	}
	return size
}

// better steps up to a size whose goodput was seen to be better by a tenth than what
// the fit says of the given one: the items of large batches may cost less, as where
// they are written to the same pages.
func (b *Batch) better(size int) int {
	most, best := float64(size)/b.model.time(size).Seconds()*1.1, size // infinite if it is not known
	for class := bits.Len(uint(size)) + 1; class < len(b.goodput); class++ {
		if b.goodput[class] > most {
			most, best = b.goodput[class], min(1<<class-1, b.bound.largest)
		}
	}
	return best
}

// ideal returns the size that the batches so far speak for.
func (b *Batch) ideal() int {
	overhead, largest := b.model.overhead, b.bound.largest
	if !b.model.fitted {
		if b.model.weight > 0 {
			return largest * BatchGrowth
		}
		return largest
	}
	size := min(largest*BatchGrowth, b.sufficient())
	if overhead > float64(b.target) {
		size = 1
	}
	return b.notWorse(size)
}

// sufficient returns the size that the fit says is enough.
func (b *Batch) sufficient() int {
	overhead, item := b.model.overhead, b.model.item
	if item <= 0 {
		return math.MaxInt32
	}
	// n × item / (overhead + n × item) = efficiency, solved for n.
	share := batchEfficiency
	if b.alone {
		share = aloneEfficiency
	}
	size := share / (1 - share) * overhead / item
	size = min(size, (float64(b.target)-overhead)/item)
	return int(max(1, min(size, math.MaxInt32)))
}

// notWorse steps down to a size whose goodput was seen to be clearly better than that
// of the given one.
func (b *Batch) notWorse(size int) int {
	class := bits.Len(uint(size))
	seen := b.goodput[class]
	if seen == 0 {
		// Not tried yet: as good as the fit says, unless the class below it
		// has already turned out worse than the one before that.
		if b.goodput[class-1] == 0 {
			return size
		}
		class--
		seen = b.goodput[class]
	}
	best := class
	for smaller := 1; smaller < class; smaller++ {
		if b.goodput[smaller] > b.goodput[best] {
			best = smaller
		}
	}
	// Alone, each size has been seen but once, or twice.
	clearly := 1.1
	if b.alone {
		clearly = 1.5
	}
	if b.goodput[best] > clearly*seen {
		return 1<<best - 1
	}
	return size
}
