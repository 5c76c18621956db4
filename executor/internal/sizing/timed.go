package sizing

import (
	"math"
	"sync/atomic"
	"time"
)

// minChunk is the shortest chunk worth claiming for itself: below it the end
// game would cost more than it evens out.
const minChunk = 5 * time.Microsecond

// Timed makes chunks that take a target time by the worker's own latest
// figures, and smaller ones as the items run out: half of an even share of what
// is left, as guided self-scheduling does.
type Timed struct {
	target time.Duration
	most   int
	first  int           // chunk before anything is known
	hint   atomic.Uint64 // bits of the latest ns per item, for workers that have none
}

// NewTimed returns a sizer of chunks that take target, above 0, and have most items at
// the most; 0 is no bound. itemNanos is what an item is known to cost; if that is 0, the
// first chunks have first items.
func NewTimed(target time.Duration, most, first int, itemNanos float64) *Timed {
	t := &Timed{target: target, most: most, first: 1}
	if t.most == 0 {
		t.most = math.MaxInt32
	}
	if itemNanos > 0 {
		t.hint.Store(math.Float64bits(itemNanos))
	} else {
		t.first = first
	}
	return t
}

// Size implements [Sizer].
func (t *Timed) Size(perItem float64, left, workers int) int {
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

// Record implements [Sizer].
func (t *Timed) Record(items int, took time.Duration) {
	t.hint.Store(math.Float64bits(float64(took) / float64(items)))
}

// Late implements [Sizer]: a chunk has four times its time before the rest of it is
// handed back.
func (t *Timed) Late() time.Duration { return max(4*t.target, time.Millisecond) }
