package sizing

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

const (
	// batchEfficiency is the share of the best possible goodput that is enough:
	// the last percent would cost batches several times as large. aloneEfficiency is
	// that of a size that is found early and stays: the first calls are often the
	// slowest, and what their items cost beyond later ones makes batches too small.
	batchEfficiency = 0.95
	aloneEfficiency = 0.985
	// BatchGrowth bounds how much larger than any batch that succeeded the next one
	// may be: if it fails for its size, so many are lost.
	BatchGrowth = 4
	// leastBatches is how many batches the items that are left should make: then
	// there is something to share.
	leastBatches = 8
	// briefCall is how long a call is made twice while the size is looked for, of which
	// the shorter one counts: what disturbs a call makes it longer, never shorter. So is
	// one of which an item cost more than in smaller calls.
	briefCall = 5 * time.Millisecond
	// shortBatch is how many times smaller batches are while the number of workers
	// is being looked for: rounds of calls are as much shorter, and the goodput that
	// batches lose of it is a tenth.
	shortBatch = 8
)

// Batch looks for the batch size with the best goodput: it tries 1, 4, 16,
// … items while that pays, fits what it saw, and goes where the fit says that
// 98.5 % of the best goodput is reached (95 % where the number of workers is fixed). Where the function does not follow the
// model, as when a large batch is slower per item than a small one, what was
// seen counts more than the fit.
//
// That is seen on successes of one call at a time: calls that wait for each other
// tell nothing of size, and neither do calls that fail. So the size is settled first,
// by one worker, and stays; then the number of workers is found, each call judged
// against what one of its size takes alone. Where the number is fixed, the size is
// looked for all along.
//
// A batch that fails and is larger than any that succeeded may have failed for that:
// see sizeBound.
type Batch struct {
	mu       sync.Mutex
	alone    bool // the size is found by one call at a time, and then stays
	model    costModel
	target   time.Duration // bound on the time of a call
	most     int           // bound on the items of a call
	bound    sizeBound     // by failures
	seen     int           // successes that count
	again    int           // the size of a call that is to be made again, and
	brief    time.Duration // what it took
	last     time.Duration // what the latest of them took
	goodput  [64]float64   // items per second seen, by the bit length of the size
	chosen   int           // the settled size, 0 before
	foreseen bool          // the fit foretold the latest call
	short    bool          // the number of workers is being looked for
}

// BatchBounds are what a [Batch] keeps to.
type BatchBounds struct {
	Target time.Duration // that a call may take, above 0
	Most   int           // items of a call; 0 is no bound
	Given  int           // the size that an earlier run has found; 0 if there is none
	Fixed  bool          // the number of workers is: no call can be had alone
}

// NewBatch returns a sizer of batches.
func NewBatch(within BatchBounds) *Batch {
	b := &Batch{target: within.Target, most: within.Most, alone: !within.Fixed}
	b.bound.largest, b.short = 1, b.alone
	if b.most == 0 {
		b.most = math.MaxInt32
	}
	if within.Given > 0 {
		b.bound.largest = within.Given
		if b.alone {
			b.chosen = within.Given
		}
	}
	return b
}

// Settled returns the size that was found, 0 as long as it is looked for by calls
// that are made one at a time.
func (b *Batch) Settled() (size int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chosen, b.chosen > 0 || !b.alone
}

// Ready reports whether more than one call may be made at a time.
func (b *Batch) Ready() bool {
	_, ok := b.Settled()
	return ok
}

// Shorten says whether the number of workers is being looked for.
func (b *Batch) Shorten(short bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.short = short
}

// Cost returns what a batch of n items costs alone, relative to one of the settled
// size.
func (b *Batch) Cost(n int) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if of := b.model.time(b.chosen); of > 0 {
		return max(1e-3, float64(b.model.time(n))/float64(of))
	}
	return 1
}

// Unit returns what a batch of the settled size takes alone, by so many calls; 0 if
// that is not known.
func (b *Batch) Unit() (took time.Duration, calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.model.time(b.chosen), b.seen
}

// Succeeded takes what a call for so many items took.
func (b *Batch) Succeeded(items int, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound.success(items)
	if b.chosen > 0 {
		return
	}
	switch {
	case b.alone && b.again == 0 && (took < briefCall || b.odd(items, took)):
		b.again, b.brief = items, took
		return
	case b.again == items:
		took = min(took, b.brief)
	}
	b.again = 0
	if b.seen == 1 && took < b.last/2 {
		// The first call was cold: a larger one takes less.
		b.model, b.goodput = costModel{}, [64]float64{}
	}
	foreseen := float64(b.model.time(items))
	b.foreseen = b.model.fitted && math.Abs(float64(took)-foreseen) < 0.15*foreseen
	b.seen++
	b.last = took
	b.model.add(items, took)
	class := &b.goodput[bits.Len(uint(items))]
	seen := float64(items) / max(took.Seconds(), 1e-9)
	if *class == 0 {
		*class = seen
	} else {
		*class += (seen - *class) / 4
	}
	// What was seen long ago of larger batches is doubted more and more, until
	// it is worth another try.
	for larger := bits.Len(uint(items)) + 1; larger < len(b.goodput); larger++ {
		b.goodput[larger] *= 1 + 1.0/batchMemory
	}
}

// odd reports whether a call achieved less than smaller ones did.
func (b *Batch) odd(items int, took time.Duration) bool {
	seen := float64(items) / max(took.Seconds(), 1e-9)
	for class := range bits.Len(uint(items)) {
		if b.goodput[class] > seen {
			return true
		}
	}
	return false
}

// Failed takes note of a call for so many items that failed; tooLarge says that it
// was refused for its size.
func (b *Batch) Failed(items int, tooLarge bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if tooLarge {
		b.most = max(1, min(b.most, items-1))
	}
	b.bound.failure(items)
	b.again = 0
}

// Record has nothing to take: a claim may fail, be split, or wait for a token.
func (b *Batch) Record(int, time.Duration) {}

// Late is never: a call can't be cut.
func (b *Batch) Late() time.Duration { return 0 }

// Size returns how many items the next call gets where so many are left for so many
// workers, at least 1. Once the next one would be no more than twice as large as what
// was tried, the size is settled.
func (b *Batch) Size(_ float64, left, workers int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := b.chosen
	switch {
	case b.again > 0:
		size = b.again
	case size > 0 && b.short:
		size = (size + shortBatch - 1) / shortBatch
	case size == 0 && b.alone:
		size = b.settle(min(b.ideal(), b.most), max(1, left/leastBatches))
	case size == 0:
		size = b.ideal()
	}
	return max(1, b.bound.within(min(size, b.most, b.share(left, workers))))
}
