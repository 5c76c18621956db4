package executor

import (
	"math"
	"math/bits"
	"sync"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// DefaultTargetBatch is how long one call of a batch function may take unless
// TargetChunk says otherwise.
const DefaultTargetBatch = time.Second

const (
	// batchEfficiency is the share of the best possible goodput that is enough:
	// the last percent would cost batches several times as large.
	batchEfficiency = 0.95
	// batchGrowth bounds how much larger than any batch tried before the next
	// one may be.
	batchGrowth = 4
	// batchMemory is how many observations count; older ones fade.
	batchMemory = 64
)

// costModel fits time = overhead + n × item to batches that were run, by least
// squares over the relative error, the recent ones counting more. A small batch
// tells the overhead, a large one the items; weighting by 1/time² lets neither
// drown the other.
type costModel struct {
	weight, n, t, nn, nt float64

	// The latest fit: once all batches are of one size, they say nothing new
	// about overhead and items apart.
	overhead, item float64
	fitted         bool
}

func (m *costModel) add(n int, took time.Duration) {
	if took <= 0 {
		took = 1
	}
	const fade = 1 - 1.0/batchMemory
	x, y := float64(n), float64(took)
	w := 1 / (y * y)
	m.weight = m.weight*fade + w
	m.n = m.n*fade + w*x
	m.t = m.t*fade + w*y
	m.nn = m.nn*fade + w*x*x
	m.nt = m.nt*fade + w*x*y
	m.refit()
}

// refit solves for overhead and cost per item in nanoseconds, both at least 0,
// if batches of different sizes have been seen lately.
func (m *costModel) refit() {
	det := m.weight*m.nn - m.n*m.n
	if det <= 1e-6*m.weight*m.nn {
		return
	}
	m.fitted = true
	m.item = (m.weight*m.nt - m.n*m.t) / det
	m.overhead = (m.t - m.item*m.n) / m.weight
	switch {
	case m.item < 0:
		m.overhead, m.item = m.t/m.weight, 0
	case m.overhead < 0:
		m.overhead, m.item = 0, m.nt/m.nn
	}
}

// batchSizer looks for the batch size with the best goodput: it tries 1, 4, 16,
// … items while that pays, fits what it saw, and goes where the fit says that
// 95 % of the best goodput is reached. Where the function does not follow the
// model, as when a large batch is slower per item than a small one, what was
// seen counts more than the fit.
type batchSizer struct {
	mu      sync.Mutex
	model   costModel
	target  time.Duration // bound on the time of a call
	most    int           // bound on the items of a call
	largest int           // tried so far
	goodput [64]float64   // items per second seen, by the bit length of the size
}

func newBatchSizer(cfg *Config, plan *optimizer.Plan) *batchSizer {
	b := &batchSizer{target: cfg.TargetChunk, most: cfg.MaxChunkSize, largest: 1}
	if b.target == 0 {
		b.target = DefaultTargetBatch
	}
	if b.most == 0 {
		b.most = math.MaxInt32
	}
	if plan.Sample.AllocKnown {
		b.most = optimizer.MemoryWorkers(available(cfg, plan), plan.Sample.AllocBytes*float64(plan.Workers), b.most)
	}
	if cfg.Plan != nil {
		b.largest = cfg.Plan.ChunkSize
	}
	return b
}

// available returns the bytes that the run may use, 0 if unknown.
func available(cfg *Config, plan *optimizer.Plan) uint64 {
	bytes := plan.Host.Available()
	if cfg.MemoryLimit > 0 && (bytes == 0 || cfg.MemoryLimit < bytes) {
		return cfg.MemoryLimit
	}
	return bytes
}

func (b *batchSizer) late() time.Duration { return 0 }

func (b *batchSizer) record(items int, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.model.add(items, took)
	b.largest = max(b.largest, items)
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

func (b *batchSizer) size(_ *worker, left, workers int) int {
	b.mu.Lock()
	size := b.ideal()
	b.mu.Unlock()
	// Every worker should get a share of what is left.
	share := (left + workers - 1) / max(1, workers)
	return max(1, min(size, b.most, share))
}

// ideal returns the size that the batches so far speak for.
func (b *batchSizer) ideal() int {
	overhead, item := b.model.overhead, b.model.item
	if !b.model.fitted {
		if b.model.weight > 0 {
			return b.largest * batchGrowth
		}
		return b.largest
	}
	size := float64(b.largest * batchGrowth)
	if item > 0 {
		// n × item / (overhead + n × item) = efficiency, solved for n.
		size = min(size, batchEfficiency/(1-batchEfficiency)*overhead/item)
		size = min(size, (float64(b.target)-overhead)/item)
	} else if overhead > float64(b.target) {
		size = 1
	}
	return b.notWorse(int(max(1, min(size, math.MaxInt32))))
}

// notWorse steps down to a size whose goodput was seen to be better by a tenth
// than that of the given one.
func (b *batchSizer) notWorse(size int) int {
	class := bits.Len(uint(size))
	seen := b.goodput[class]
	if seen == 0 {
		// Not tried yet: as good as the fit says, unless the class below it
		// has already turned out worse than the one before that.
		if class < 2 || b.goodput[class-1] == 0 {
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
	if b.goodput[best] > 1.1*seen {
		return 1<<best - 1
	}
	return size
}
