package source

// What the producer of [Arrivals] calls, and who makes room for it.

// Arrive tells that there are n items now.
func (a *Arrivals) Arrive(n int) {
	a.produced.Store(int64(n))
	if a.idle.Load() > 0 {
		poke(a.arrived)
	}
}

// End says that no more items will come.
func (a *Arrivals) End() {
	a.ended.Store(true)
	poke(a.arrived)
}

// Stopped reports whether no item is wanted any more.
func (a *Arrivals) Stopped() bool { return a.over.Load() }

// AwaitRoom waits until there is room for item n, and returns up to which item there
// is; n if the run is over. fits returns up to which item the producer's own place goes,
// within the limit that it is given.
func (a *Arrivals) AwaitRoom(n int, fits func(limit int) int, over <-chan struct{}) (limit int) {
	for {
		if limit = fits(a.limit()); limit > n {
			return limit
		}
		a.blocked.Store(true)
		if limit = fits(a.limit()); limit > n {
			a.blocked.Store(false)
			return limit
		}
		select {
		case <-a.room:
			a.blocked.Store(false)
		case <-over:
			return n
		}
	}
}

// limit returns how many items may have arrived at the most.
func (a *Arrivals) limit() int {
	return int(min(a.yielded.Load()+int64(a.window), a.claimed.Load()+a.ahead.Load()))
}

// allow sets how far ahead items may be taken, for so many workers with claims
// of size items, and returns the size, bounded so that all claims together
// leave half of the window to what is done and not yet passed on.
func (a *Arrivals) allow(size, workers int) int {
	workers = max(1, workers)
	size = max(1, min(size, a.window/(2*workers)))
	ahead := int64(min(a.window, claimsAhead*size*workers))
	if a.whole {
		ahead = int64(a.window)
	}
	if before := a.ahead.Load(); before != ahead {
		a.ahead.Store(ahead)
		if before < ahead {
			a.MakeRoom()
		}
	}
	return size
}

// Yielded tells how many items are done with.
func (a *Arrivals) Yielded(n int64) { a.yielded.Store(n) }

// MakeRoom lets the producer look for room, if it waits for it.
func (a *Arrivals) MakeRoom() {
	if a.blocked.Load() {
		poke(a.room)
	}
}
