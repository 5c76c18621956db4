package executor

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// A sizer says how many items a worker should claim next. It is used by all
// workers at once.
type sizer interface {
	// size returns the items to claim, at least 1.
	size(w *worker, left, workers int) int
	// record tells what a claim of so many items took.
	record(items int, took time.Duration)
	// late returns after which time a chunk is to be cut, 0 for never.
	late() time.Duration
}

// newSizer returns the sizer that the configuration and the plan ask for.
func newSizer(cfg *Config, plan *optimizer.Plan, batches *batching) sizer {
	switch {
	case cfg.ChunkSize > 0:
		return fixedSize(cfg.ChunkSize)
	case batches != nil:
		return batches.sizer
	default:
		return newTimedSize(cfg, plan)
	}
}

// fixedSize is what the caller decided.
type fixedSize int

func (f fixedSize) size(_ *worker, left, workers int) int { return int(f) }
func (f fixedSize) record(int, time.Duration)             {}
func (f fixedSize) late() time.Duration                   { return 0 }

// minChunk is the shortest chunk worth claiming for itself: below it the end
// game would cost more than it evens out.
const minChunk = 5 * time.Microsecond

// timedSize makes chunks that take a target time by the worker's own latest
// figures, and smaller ones as the items run out: half of an even share of what
// is left, as guided self-scheduling does.
type timedSize struct {
	target time.Duration
	most   int
	first  int           // chunk before anything is known
	hint   atomic.Uint64 // bits of the latest ns per item, for workers that have none
}

func newTimedSize(cfg *Config, plan *optimizer.Plan) *timedSize {
	t := &timedSize{target: cfg.TargetChunk, most: cfg.MaxChunkSize, first: 1}
	if t.target == 0 {
		t.target = optimizer.DefaultTargetChunk
	}
	if t.most == 0 {
		t.most = math.MaxInt32
	}
	if plan.Sample.ItemNanos > 0 {
		t.hint.Store(math.Float64bits(plan.Sample.ItemNanos))
	} else {
		t.first = plan.ChunkSize
	}
	return t
}

func (t *timedSize) size(w *worker, left, workers int) int {
	perItem := w.itemNanos
	if perItem == 0 {
		perItem = math.Float64frombits(t.hint.Load())
	}
	if perItem <= 0 {
		return max(1, min(t.first, t.most))
	}
	size := min(float64(t.target)/perItem, float64(t.most))
	share := max(float64(left)/float64(2*workers), float64(minChunk)/perItem)
	return int(max(1, min(size, share)))
}

func (t *timedSize) record(items int, took time.Duration) {
	t.hint.Store(math.Float64bits(float64(took) / float64(items)))
}

// late gives a chunk four times its time before the rest of it is handed back.
func (t *timedSize) late() time.Duration { return max(4*t.target, time.Millisecond) }
