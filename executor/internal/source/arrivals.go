package source

import "sync/atomic"

// Arrivals is a source of items that come while the run goes on, one after the other,
// from a producer: the one goroutine that calls the methods of produce.go. How far that
// may be ahead is bounded by a window, and by what workers claim.
type Arrivals struct {
	window  int
	whole   bool            // the window may be taken ahead
	done    <-chan struct{} // of the run: it is over
	arrived chan struct{}   // a token: there may be something to claim
	room    chan struct{}   // a token: there may be room
	over    atomic.Bool     // no item is wanted any more
	skip    func(Span) Span // nil if every item is to be run

	_        [64]byte     // written for every item: a line of its own
	produced atomic.Int64 // items that have arrived
	idle     atomic.Int64 // workers that wait for an item
	ended    atomic.Bool  // no more will come
	_        [64]byte

	next    atomic.Int64 // the first item that was never claimed
	claimed atomic.Int64 // items that were claimed, not counting those handed back
	ahead   atomic.Int64 // how many may have arrived and not been claimed
	yielded atomic.Int64 // items that are done with
	blocked atomic.Bool  // the producer waits for room
	returns
}

// claimsAhead is how many claims for each worker may have arrived: one that is ready
// when it comes back, and one that is being filled.
const claimsAhead = 2

// NewArrivals returns a source whose producer may be window items ahead of those that
// are done with, at least 1; all of them ahead of the claims if whole.
func NewArrivals(window int, whole bool) *Arrivals {
	a := &Arrivals{
		window: window, whole: whole,
		arrived: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	a.ahead.Store(int64(min(window, claimsAhead)))
	if whole {
		a.ahead.Store(int64(window))
	}
	return a
}

// Until has every wait of a worker end when done is closed: the run is over. It is
// called before any of them.
func (a *Arrivals) Until(done <-chan struct{}) { a.done = done }

// Skip has claims leave out items: skip sees to those at the beginning of a claim that need
// not be run, and returns those behind them that are, which may be none. It is called before
// any of them.
func (a *Arrivals) Skip(skip func(Span) Span) { a.skip = skip }

// trim leaves out what need not be run at the beginning of a claim, and hands back what is
// behind the next such item.
func (a *Arrivals) trim(s Span) Span {
	if a.skip == nil || s.Len() == 0 {
		return s
	}
	run := a.skip(s)
	a.Return(Span{run.Hi, s.Hi})
	return run
}

// Take implements [Source].
func (a *Arrivals) Take(size, workers int) (s Span, waited, ok bool) {
	size = a.allow(size, workers)
	for {
		if s, ok = a.take(size); ok {
			poke(a.arrived) // there may be more of that
		} else if s, ok = a.claim(size); !ok {
			if waited = true; !a.await(size, &s) {
				return Span{}, true, false
			}
		}
		if s = a.trim(s); s.Len() > 0 {
			return s, waited, true
		}
	}
}

// await waits until there may be something to claim; what came in the last moment is
// claimed in s. It reports false if nothing will come any more, or the run is over.
func (a *Arrivals) await(size int, s *Span) bool {
	a.idle.Add(1)
	defer a.idle.Add(-1)
	ended := a.ended.Load() // before the count: items may come, then the end
	var ok bool
	if *s, ok = a.claim(size); ok {
		return true
	}
	if ended {
		poke(a.arrived) // the others must hear of it too
		return false
	}
	select {
	case <-a.arrived:
		return true
	case <-a.done:
		return false
	}
}

// claim claims up to size items that have arrived, if there are any.
func (a *Arrivals) claim(size int) (s Span, ok bool) {
	for lo := a.next.Load(); ; lo = a.next.Load() {
		there := int(a.produced.Load() - lo)
		if there <= 0 {
			return Span{}, false
		}
		n := portion(there, size)
		if a.next.CompareAndSwap(lo, lo+int64(n)) {
			a.claimed.Add(int64(n))
			a.MakeRoom()
			if there > n && a.idle.Load() > 0 {
				poke(a.arrived)
			}
			return Span{int(lo), int(lo) + n}, true
		}
	}
}

// portion returns how many of the items that are there a claim should take: up
// to size, and half of them at the most unless that is too few to be worth it.
func portion(there, size int) int {
	return min(there, size, max((there+1)/2, size/16))
}

// TakeAlone is Take for a caller who is the only worker: it shares with nobody, and
// claims of what has arrived as much as size allows. It does not wait: ok is false if
// nothing has arrived.
func (a *Arrivals) TakeAlone(size int) (s Span, ok bool) {
	size = a.allow(size, 1)
	for {
		s, ok = a.take(size)
		lo := a.next.Load()
		if there := int(a.produced.Load() - lo); !ok && there > 0 {
			s = Span{int(lo), int(lo) + min(size, there)}
			a.next.Store(int64(s.Hi))
			a.claimed.Add(int64(s.Len()))
			a.MakeRoom()
		}
		if s.Len() == 0 {
			return s, false
		}
		if s = a.trim(s); s.Len() > 0 {
			return s, true
		}
	}
}

// AwaitAlone waits until something has arrived. It reports false if nothing will come
// any more, or the run is over.
func (a *Arrivals) AwaitAlone() bool {
	a.idle.Add(1)
	defer a.idle.Add(-1)
	for {
		ended := a.ended.Load() // before the count: items may come, then the end
		if a.produced.Load() > a.next.Load() || a.items.Load() > 0 {
			return true
		}
		if ended {
			return false
		}
		select {
		case <-a.arrived:
		case <-a.done:
			return false
		}
	}
}

// Return implements [Source].
func (a *Arrivals) Return(s Span) {
	if a.add(s) {
		poke(a.arrived)
	}
}

// Left implements [Source].
func (a *Arrivals) Left() int {
	left := Many
	if a.ended.Load() {
		left = int(max(0, a.produced.Load()-a.next.Load()))
	}
	return left + int(a.items.Load())
}

// Demand implements [Source].
func (a *Arrivals) Demand() (idle, there int) {
	return int(a.idle.Load()), int(max(0, a.produced.Load()-a.next.Load()))
}

// Seen implements [Source].
func (a *Arrivals) Seen() int { return int(a.produced.Load()) }

// Rest implements [Source]. What has arrived since the run was over is part of it, but for what
// need not be run.
func (a *Arrivals) Rest() []Span {
	produced := a.produced.Load()
	all := a.rest(a.next.Load(), produced)
	if a.skip == nil {
		return all
	}
	var left []Span
	for _, s := range all {
		for s.Len() > 0 {
			run := a.skip(s)
			if s.Lo = run.Hi; run.Len() > 0 {
				left = append(left, run)
			}
		}
	}
	a.next.Store(produced) // what was skipped is no longer there
	a.replace(left)
	return left
}

// Stop implements [Source].
func (a *Arrivals) Stop() { a.over.Store(true) }

// poke leaves a token, unless there is one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// What [Lanes] takes items by.

func (a *Arrivals) tryTake(workers int) (i int, ok bool) {
	size := a.allow(1, workers)
	for {
		s, ok := a.take(size)
		if !ok {
			s, ok = a.claim(size)
		}
		if s = a.trim(s); !ok || s.Len() > 0 {
			return s.Lo, ok
		}
	}
}

func (a *Arrivals) look() (there, more bool) {
	ended := a.ended.Load() // before the count: items may come, then the end
	return a.items.Load() > 0 || a.produced.Load() > a.next.Load(), !ended
}

func (a *Arrivals) listen() <-chan struct{} {
	a.idle.Add(1)
	return a.arrived
}

func (a *Arrivals) unlisten() { a.idle.Add(-1) }
