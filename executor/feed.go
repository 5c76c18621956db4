package executor

import (
	"sync/atomic"
)

// feed is where the items of a stream come from, as the engine sees it: a
// number of items that have arrived, of which claims are made.
type feed struct {
	produced atomic.Int64    // items that have arrived
	ended    atomic.Bool     // no more will come
	arrived  chan struct{}   // a token: there may be something to claim
	done     <-chan struct{} // of the run: it is over
	waiting  atomic.Int64    // workers that wait for an item
	failed   atomic.Int64    // items whose failure was told in the stream
}

func newFeed() *feed { return &feed{arrived: make(chan struct{}, 1)} }

// poke leaves a token, unless there is one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// end says that no more items will come.
func (f *feed) end() {
	f.ended.Store(true)
	poke(f.arrived)
}

// take claims up to size items that have arrived. If there is none, it waits
// until there may be something to claim; ok is false if nothing will come any
// more, or the run is over.
func (f *feed) take(c *claims, size int) (s span, ok bool) {
	ended := f.ended.Load() // before the count: items may come, then the end
	for lo := c.next.Load(); lo < f.produced.Load(); lo = c.next.Load() {
		hi := min(f.produced.Load(), lo+int64(size))
		if c.next.CompareAndSwap(lo, hi) {
			poke(f.arrived) // there may be more
			return span{int(lo), int(hi)}, true
		}
	}
	if ended {
		poke(f.arrived) // the others must hear of it too
		return span{}, false
	}
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	select {
	case <-f.arrived:
		return span{}, true
	case <-f.done:
		return span{}, false
	}
}

// left returns how many items there are to claim, many as long as more may come.
func (f *feed) left(next int64) int {
	if f.ended.Load() {
		return int(max(0, f.produced.Load()-next))
	}
	return manyItems
}
