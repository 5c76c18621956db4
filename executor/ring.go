package executor

import (
	"math/bits"
	"sync/atomic"
)

// ring holds a value for each item of a stream that is being processed, by index modulo
// its length. Its blocks are allocated when they are first needed, so a stream of few
// items pays for few.
type ring[E any] struct {
	blocks []ringBlock[E]
	size   int  // values of a block, a power of two
	shift  uint // log2 of it
}

type ringBlock[E any] struct {
	values []E
	// unread counts the values that have not been taken out yet, if taking out makes
	// room: the block is reused when it is 0.
	unread atomic.Int32
	_      [36]byte // each block has its own cache line
}

// largestBlock is how many values are allocated at a time, and how often the
// producer looks at more than its own counter.
const largestBlock = 64

// newRing returns a ring of at least window values.
func newRing[E any](window int) ring[E] {
	length := 1 << bits.Len(uint(window-1))
	size := min(largestBlock, max(1, length/4))
	return ring[E]{
		blocks: make([]ringBlock[E], length/size),
		size:   size, shift: uint(bits.TrailingZeros(uint(size))),
	}
}

func (r *ring[E]) block(i int) *ringBlock[E] {
	return &r.blocks[i>>r.shift&(len(r.blocks)-1)]
}

// at returns the place of item i, whose block is allocated.
func (r *ring[E]) at(i int) *E {
	return &r.block(i).values[i&(r.size-1)]
}

// enter prepares the block that begins with item i. It reports false if the block can't
// be used yet.
func (r *ring[E]) enter(i int, counted bool) bool {
	b := r.block(i)
	b.allocate(r.size)
	if !counted {
		return true
	}
	if b.unread.Load() > 0 {
		return false
	}
	b.unread.Store(int32(r.size))
	return true
}

func (b *ringBlock[E]) allocate(size int) {
	if b.values == nil {
		b.values = make([]E, size)
	}
}

// clear forgets the values of items from lo up to hi.
func (r *ring[E]) clear(lo, hi int) {
	for lo < hi {
		end := min(hi, (lo/r.size+1)*r.size)
		from := lo & (r.size - 1)
		clear(r.block(lo).values[from : from+end-lo])
		lo = end
	}
}
