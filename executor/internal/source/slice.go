package source

import "sync/atomic"

// Slice is a source of items that are all there from the start.
type Slice struct {
	next  atomic.Int64
	total int64
	_     [48]byte // the counter is written by all workers: keep it on a line of its own
	returns
}

// NewSlice returns the items from first up to total.
func NewSlice(first, total int) *Slice {
	s := &Slice{total: int64(total)}
	s.next.Store(int64(first))
	return s
}

// Take implements [Source]. It never waits.
func (c *Slice) Take(size, _ int) (s Span, waited, ok bool) {
	if s, ok = c.take(size); ok {
		return s, false, true
	}
	if c.next.Load() >= c.total {
		return Span{}, false, false // also keeps the counter from running away
	}
	step := min(int64(size), c.total) // no overflow, however large the size
	hi := c.next.Add(step)
	lo := hi - step
	if lo >= c.total {
		return Span{}, false, false
	}
	return Span{int(lo), int(min(hi, c.total))}, false, true
}

// Return implements [Source].
func (c *Slice) Return(s Span) { c.add(s) }

// Left implements [Source].
func (c *Slice) Left() int {
	return int(max(0, c.total-c.next.Load()) + c.items.Load())
}

// Demand implements [Source]: nobody ever waits.
func (c *Slice) Demand() (idle, there int) { return 0, c.Left() }

// Seen implements [Source].
func (c *Slice) Seen() int { return int(c.total) }

// Rest implements [Source].
func (c *Slice) Rest() []Span { return c.rest(c.next.Load(), c.total) }

// Stop implements [Source]. There is nobody to tell.
func (c *Slice) Stop() {}

// What [Lanes] takes items by.

func (c *Slice) tryTake(int) (i int, ok bool) {
	s, _, ok := c.Take(1, 1)
	return s.Lo, ok
}

func (c *Slice) look() (there, more bool) { return c.Left() > 0, false }

func (c *Slice) listen() <-chan struct{} { return nil }

func (c *Slice) unlisten() {}
