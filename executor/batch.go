package executor

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// DefaultTargetBatch is how long one call of a batch function may take unless
// TargetChunk says otherwise.
const DefaultTargetBatch = time.Second

const (
	// batchEfficiency is the share of the best possible goodput that is enough:
	// the last percent would cost batches several times as large. aloneEfficiency is
	// that of a size that is found early and stays: the first calls are often the
	// slowest, and what their items cost beyond later ones makes batches too small.
	batchEfficiency = 0.95
	aloneEfficiency = 0.985
	// batchGrowth bounds how much larger than any batch that succeeded the next one
	// may be: if it fails for its size, so many are lost.
	batchGrowth = 4
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
	// batchWindow is how many batches are in flight at first. A service that takes
	// one at a time, as a database with one writer does, suffers from each of them.
	batchWindow = 2
)

// batchSizer looks for the batch size with the best goodput: it tries 1, 4, 16,
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
type batchSizer struct {
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

func newBatchSizer(cfg *Config) *batchSizer {
	b := &batchSizer{target: cfg.TargetChunk, most: cfg.MaxChunkSize, alone: cfg.Workers == 0}
	b.bound.largest, b.short = 1, b.alone
	if b.target == 0 {
		b.target = DefaultTargetBatch
	}
	if b.most == 0 {
		b.most = math.MaxInt32
	}
	if cfg.Plan != nil {
		b.bound.largest = cfg.Plan.ChunkSize
		if b.alone {
			b.chosen = cfg.Plan.ChunkSize
		}
	}
	return b
}

// settled returns the size that was found, 0 as long as it is looked for by calls
// that are made one at a time.
func (b *batchSizer) settled() (size int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chosen, b.chosen > 0 || !b.alone
}

// ready reports whether more than one call may be made at a time.
func (b *batchSizer) ready() bool {
	_, ok := b.settled()
	return ok
}

// shorten says whether the number of workers is being looked for.
func (b *batchSizer) shorten(short bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.short = short
}

// cost returns what a batch of n items costs alone, relative to one of the settled
// size.
func (b *batchSizer) cost(n int) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if of := b.model.time(b.chosen); of > 0 {
		return max(1e-3, float64(b.model.time(n))/float64(of))
	}
	return 1
}

// unit returns what a batch of the settled size takes alone, by so many calls; 0 if
// that is not known.
func (b *batchSizer) unit() (took time.Duration, calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.model.time(b.chosen), b.seen
}

// succeeded takes what a call for so many items took.
func (b *batchSizer) succeeded(items int, took time.Duration) {
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
func (b *batchSizer) odd(items int, took time.Duration) bool {
	seen := float64(items) / max(took.Seconds(), 1e-9)
	for class := range bits.Len(uint(items)) {
		if b.goodput[class] > seen {
			return true
		}
	}
	return false
}

// failed takes note of a call for so many items that failed; tooLarge says that it
// was refused for its size.
func (b *batchSizer) failed(items int, tooLarge bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if tooLarge {
		b.most = max(1, min(b.most, items-1))
	}
	b.bound.failure(items)
	b.again = 0
}

// record has nothing to take: a claim may fail, be split, or wait for a token.
func (b *batchSizer) record(int, time.Duration) {}

// late is never: a call can't be cut.
func (b *batchSizer) late() time.Duration { return 0 }

// size returns how many items the next call gets where so many are left for so many
// workers, at least 1. Once the next one would be no more than twice as large as what
// was tried, the size is settled.
func (b *batchSizer) size(_ *worker, left, workers int) int {
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

// share returns how many of the items left a worker should get at the most: half of an
// even share, so that the last ones even out what the others got wrong, but no fewer
// than what costs as much as the call itself. One worker has nobody to share with.
func (b *batchSizer) share(left, workers int) int {
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
func (b *batchSizer) settle(size, share int) int {
	const enough = 3
	size = min(size, share)
	// A call that takes no time to speak of tells little: a machine that is busy with
	// something else disturbs it by as much.
	if b.seen > 0 && b.last < briefCall && b.bound.largest < min(share, b.most) && b.bound.failed == 0 {
		return min(b.bound.largest*batchGrowth, share)
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
func (b *batchSizer) better(size int) int {
	most, best := float64(size)/b.model.time(size).Seconds()*1.1, size // infinite if it is not known
	for class := bits.Len(uint(size)) + 1; class < len(b.goodput); class++ {
		if b.goodput[class] > most {
			most, best = b.goodput[class], min(1<<class-1, b.bound.largest)
		}
	}
	return best
}

// ideal returns the size that the batches so far speak for.
func (b *batchSizer) ideal() int {
	overhead, largest := b.model.overhead, b.bound.largest
	if !b.model.fitted {
		if b.model.weight > 0 {
			return largest * batchGrowth
		}
		return largest
	}
	size := min(largest*batchGrowth, b.sufficient())
	if overhead > float64(b.target) {
		size = 1
	}
	return b.notWorse(size)
}

// sufficient returns the size that the fit says is enough.
func (b *batchSizer) sufficient() int {
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
func (b *batchSizer) notWorse(size int) int {
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

// sizeBound is how many items a call may have by what failed. Whether a batch failed
// for its size or for one of its items can't be known: no item is run twice to find
// out. So a failure above the largest success bounds the next ones by the middle
// between the two; what speaks against it, successes, and much more so failures of
// smaller batches, lifts the bound in the end, more slowly each time that it comes
// back.
type sizeBound struct {
	largest  int // success
	failed   int // the smallest failure above it, 0 if there is none
	doubt    int // of failed
	patience int // the doubt that lifts it, 0 before anything failed
	trial    int // successes until another call may be larger than all that succeeded
}

const (
	trialPatience  = 8
	firstPatience  = 32
	failureCounts  = 16 // times as much as a success
	patienceGrowth = 4
)

func (s *sizeBound) success(items int) {
	if items > s.largest {
		s.largest, s.trial = items, 0
	}
	if s.largest >= s.failed {
		s.failed = 0
	}
	s.trial = max(0, s.trial-1)
	s.add(1)
}

func (s *sizeBound) failure(items int) {
	if items <= s.largest {
		s.add(failureCounts)
		return
	}
	s.trial = 0
	if s.failed == 0 || items < s.failed {
		s.failed, s.doubt = items, 0
		s.patience = max(s.patience, firstPatience)
	}
}

func (s *sizeBound) add(doubt int) {
	if s.failed == 0 {
		return
	}
	if s.doubt += doubt; s.doubt >= s.patience {
		s.failed, s.doubt = 0, 0
		s.patience *= patienceGrowth
	}
}

// within returns size, or what the bound allows. What is larger than all that
// succeeded is tried by one call at a time once something has failed.
func (s *sizeBound) within(size int) int {
	if size <= s.largest {
		return size
	}
	if s.patience == 0 {
		return min(size, s.largest*batchGrowth)
	}
	upper := 2 * s.largest
	if s.failed > 0 {
		upper = (s.largest + s.failed) / 2
	}
	if s.trial > 0 || s.failed > 0 && s.failed-s.largest <= 1+s.largest/4 { // near enough
		return s.largest
	}
	s.trial = trialPatience
	return min(size, upper)
}
