package source

import (
	"container/heap"
	"time"
)

// feed is a source that Lanes takes items from without waiting.
type feed interface {
	Source
	// tryTake claims the next item, if there is one, for one of so many workers.
	tryTake(workers int) (i int, ok bool)
	// look reports whether there is an item to claim, and whether more may come.
	look() (there, more bool)
	// listen returns what has a token when an item may have come, until unlisten; nil if
	// none ever comes.
	listen() <-chan struct{}
	unlisten()
}

// lane is the items of a line. It is kept while there are any.
type lane struct {
	line  uint64
	items backlog
	at    time.Duration // when the first of them is asked about again
	goes  time.Duration // when it goes, whatever is said then
	asked bool          // goes is set
	place int           // in a laneHeap
}

// told takes that the first item would be held back for wait. It is asked about again before,
// as that may change: a rate, a pause, a cost that was less than thought. But it is not held
// back for longer than was said at first: whoever else takes from the same limiter has come
// later, and behind its line the item has its turn.
func (n *lane) told(now, wait time.Duration) {
	wait = min(wait, longest)
	if goes := now + wait; !n.asked || goes < n.goes {
		n.goes, n.asked = goes, true
	}
	n.at = min(n.goes, now+again)
}

const (
	longest = 24 * time.Hour
	again   = time.Second // after that time it is asked about again
)

// taken is an item that is not done with.
type taken struct {
	line   uint64
	passed bool
}

// laneHeap is lanes, the one that is due first at its head.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].at < h[j].at }

// Swap implements [heap.Interface].
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface]: use push.
func (h *laneHeap) Push(n any) {
	*h = append(*h, n.(*lane)) //nolint:forcetypeassert // there are no others
}

// Pop implements [heap.Interface]: use pop.
func (h *laneHeap) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	n.place = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return n
}

func (h *laneHeap) push(n *lane) {
	n.place = len(*h)
	heap.Push(h, n)
}

// sooner moves n, whose time has come before it was to.
func (h *laneHeap) sooner(n *lane) { heap.Fix(h, n.place) }

func (h *laneHeap) pop() *lane {
	return heap.Pop(h).(*lane) //nolint:forcetypeassert // there are no others
}

// backlog is items that wait, in the order in which they came. Where many come in a row,
// as of a list that is sorted, they take the memory of one.
type backlog struct {
	spans []Span
	head  int // of the spans, the first that has items left
}

func (b *backlog) empty() bool { return b.head == len(b.spans) }

// first returns the first item. There is one.
func (b *backlog) first() int { return b.spans[b.head].Lo }

func (b *backlog) push(i int) {
	if last := len(b.spans) - 1; !b.empty() && b.spans[last].Hi == i {
		b.spans[last].Hi++
		return
	}
	b.spans = append(b.spans, Span{i, i + 1})
}

// pop drops the first item. There is one.
func (b *backlog) pop() {
	first := &b.spans[b.head]
	if first.Lo++; first.Lo < first.Hi {
		return
	}
	if b.head++; b.head == len(b.spans) {
		b.spans, b.head = b.spans[:0], 0
	} else if b.head >= 1024 && 2*b.head >= len(b.spans) { // half of them are done
		b.spans = append(b.spans[:0], b.spans[b.head:]...)
		b.head = 0
	}
}
