package executor

import (
	"sync"
	"sync/atomic"
)

// span is the items from lo up to but not including hi.
type span struct{ lo, hi int }

// claims hands out every item exactly once. Most ranges come from a counter,
// one atomic addition each (3 ns); the rest of a range that was handed back
// goes to whoever claims next.
type claims struct {
	next  atomic.Int64
	total int64
	feed  *feed    // where items come from that were not there from the start, nil if all were
	_     [40]byte // the counter is written by all workers: keep it on a line of its own

	returns  atomic.Int64 // items handed back and not claimed again
	mu       sync.Mutex
	returned []span
}

// start makes items from first up to total available.
func (c *claims) start(first, total int) {
	c.next.Store(int64(first))
	c.total = int64(total)
}

// left returns how many items nobody has claimed.
func (c *claims) left() int {
	if c.feed != nil {
		return c.feed.left(c.next.Load()) + int(c.returns.Load())
	}
	return int(max(0, c.total-c.next.Load()) + c.returns.Load())
}

// take claims up to size items, at least one; ok is false if none is left.
func (c *claims) take(size int) (s span, ok bool) {
	if c.feed != nil {
		return c.takeArrived(size)
	}
	if c.returns.Load() > 0 {
		if s, ok = c.takeReturned(size); ok {
			return s, true
		}
	}
	if c.next.Load() >= c.total {
		return span{}, false // also keeps the counter from running away
	}
	step := min(int64(size), c.total) // no overflow, however large the size
	hi := c.next.Add(step)
	lo := hi - step
	if lo >= c.total {
		return span{}, false
	}
	return span{int(lo), int(min(hi, c.total))}, true
}

// takeArrived is take for a feed: it waits for items.
func (c *claims) takeArrived(size int) (s span, ok bool) {
	for ok = true; ok && s.lo == s.hi; {
		if c.returns.Load() > 0 {
			if s, ok = c.takeReturned(size); ok {
				poke(c.feed.arrived)
				return s, true
			}
		}
		s, ok = c.feed.take(c, size)
	}
	return s, ok
}

func (c *claims) takeReturned(size int) (span, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.returned) - 1
	if last < 0 {
		return span{}, false
	}
	s := c.returned[last]
	if s.hi-s.lo > size {
		c.returned[last].lo += size
		s.hi = s.lo + size
	} else {
		c.returned = c.returned[:last]
	}
	c.returns.Add(int64(s.lo - s.hi))
	return s, true
}

// giveBack hands back items that were claimed and not run.
func (c *claims) giveBack(s span) {
	if s.lo >= s.hi {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returned = append(c.returned, s)
	c.returns.Add(int64(s.hi - s.lo))
	if c.feed != nil {
		poke(c.feed.arrived)
	}
}

// unclaimed returns the items that nobody has run, once all workers are gone.
func (c *claims) unclaimed() []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append([]span(nil), c.returned...)
	if c.feed != nil {
		c.total = c.feed.produced.Load()
	}
	if next := c.next.Load(); next < c.total {
		out = append(out, span{int(next), int(c.total)})
	}
	return out
}
