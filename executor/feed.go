package executor

import "sync/atomic"

// feed is where the items of a stream come from, as the engine sees it: a
// number of items that have arrived, of which claims are made. The producer is
// the one goroutine that iterates the input.
type feed struct {
	window  int
	whole   bool            // the window may be taken ahead
	arrived chan struct{}   // a token: there may be something to claim
	room    chan struct{}   // a token: there may be room
	done    <-chan struct{} // of the run: it is over
	over    atomic.Bool     // the run is to stop: no item is wanted any more
	resting atomic.Bool     // the supervisor looks seldom
	several chan struct{}   // a token: a claim of several items has begun meanwhile

	_        [64]byte     // written for every item: a line of its own
	produced atomic.Int64 // items that have arrived
	waiting  atomic.Int64 // workers that wait for an item
	ended    atomic.Bool  // no more will come
	_        [64]byte

	// What bounds the producer.
	claimed atomic.Int64 // items that were claimed, not counting those handed back
	ahead   atomic.Int64 // how many may have arrived and not been claimed
	yielded atomic.Int64 // items that the loop has got
	blocked atomic.Bool  // the producer waits for room

	failed atomic.Int64 // items whose failure was told in the stream

	// Written as the run ends.
	notRun []span // items that nobody has run
	total  int    // items that had arrived, if the run ended early
	err    error
}

// claimsAhead is how many claims for each call in flight may have arrived: one
// that is ready when a worker comes back, and one that is being filled.
const claimsAhead = 2

func newFeed(window int, whole bool) *feed {
	f := &feed{window: window, whole: whole, arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), several: make(chan struct{}, 1)}
	f.ahead.Store(int64(min(window, claimsAhead)))
	if whole {
		f.ahead.Store(int64(window))
	}
	return f
}

// failures returns how many failures were told in the stream, none if f is nil.
func (f *feed) failures() int64 {
	if f == nil {
		return 0
	}
	return f.failed.Load()
}

// rest notes whether the supervisor looks seldom: nothing has changed for long.
func (f *feed) rest(seldom bool) {
	if f != nil && f.resting.Load() != seldom {
		f.resting.Store(seldom)
	}
}

// hurry returns a channel that has the supervisor look soon: a claim of several
// items has begun, and one of them may be slow.
func (f *feed) hurry() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.several
}

// poke leaves a token, unless there is one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// arrive tells that there are n items now.
func (f *feed) arrive(n int) {
	f.produced.Store(int64(n))
	if f.waiting.Load() > 0 {
		poke(f.arrived)
	}
}

// end says that no more items will come.
func (f *feed) end() {
	f.ended.Store(true)
	poke(f.arrived)
}

// allow sets how far ahead items may be taken, for so many workers with claims
// of size items, and returns the size, bounded so that all claims together
// leave half of the window to what is handed over.
func (f *feed) allow(size, workers int) int {
	workers = max(1, workers)
	size = max(1, min(size, f.window/(2*workers)))
	ahead := int64(min(f.window, claimsAhead*size*workers))
	if f.whole {
		ahead = int64(f.window)
	}
	if before := f.ahead.Load(); before != ahead {
		f.ahead.Store(ahead)
		if before < ahead {
			f.makeRoom()
		}
	}
	return size
}

// makeRoom lets the producer look for room, if it waits for it.
func (f *feed) makeRoom() {
	if f.blocked.Load() {
		poke(f.room)
	}
}

// limit returns how many items may have arrived at the most.
func (f *feed) limit() int {
	return int(min(f.yielded.Load()+int64(f.window), f.claimed.Load()+f.ahead.Load()))
}

// portion returns how many of the items that are there a claim should take: up
// to size, and half of them at the most unless that is too few to be worth it.
func portion(there, size int) int {
	return min(there, size, max((there+1)/2, size/16))
}

// take claims up to size items that have arrived. If there is none, it waits
// until there may be something to claim; ok is false if nothing will come any
// more, or the run is over.
func (f *feed) take(c *claims, size int) (s span, ok bool) {
	if s, ok = f.tryTake(c, size); ok {
		return s, true
	}
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	ended := f.ended.Load() // before the count: items may come, then the end
	if s, ok = f.tryTake(c, size); ok {
		return s, true
	}
	if ended {
		poke(f.arrived) // the others must hear of it too
		return span{}, false
	}
	select {
	case <-f.arrived:
		return span{}, true
	case <-f.done:
		return span{}, false
	}
}

func (f *feed) tryTake(c *claims, size int) (s span, ok bool) {
	for lo := c.next.Load(); ; lo = c.next.Load() {
		there := int(f.produced.Load() - lo)
		if there <= 0 {
			return span{}, false
		}
		n := portion(there, size)
		if c.next.CompareAndSwap(lo, lo+int64(n)) {
			f.claimed.Add(int64(n))
			f.makeRoom()
			if there > n && f.waiting.Load() > 0 {
				poke(f.arrived)
			}
			return span{int(lo), int(lo) + n}, true
		}
	}
}

// left returns how many items there are to claim, many as long as more may come.
func (f *feed) left(next int64) int {
	if f.ended.Load() {
		return int(max(0, f.produced.Load()-next))
	}
	return manyItems
}

// manyItems stands for a number of items that is not known: many, and still far
// from the largest int of any machine.
const manyItems = 1 << 30
