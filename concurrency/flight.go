package concurrency

import (
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// flight has the attempts in progress. Its places are reused, so that an attempt costs no
// allocation. The number of a place identifies its present attempt, so that ending an
// attempt twice does not end another one.
type flight struct {
	places []place
	free   int    // 1 + the first free place; 0 if there is none
	n      int    // attempts in progress
	latest uint64 // latest number given out

	listed []adaptive.Attempt // reused by list
}

type place struct {
	attempt adaptive.Attempt
	number  uint64 // 0 if it is free
	next    int    // 1 + the next free place
}

// begin returns the place and the number of an attempt that begins.
func (f *flight) begin(now time.Duration, epoch int64) (at int, number uint64) {
	if f.free == 0 {
		f.places = append(f.places, place{})
		f.free = len(f.places)
	}
	at = f.free - 1
	p := &f.places[at]
	f.free = p.next
	f.n++
	f.latest++
	p.number = f.latest
	p.attempt = adaptive.Attempt{Began: now, InFlight: f.n, Epoch: epoch, Items: 1, Cost: 1}
	return at, p.number
}

// end frees the place. It is false if that has been done before.
func (f *flight) end(at int, number uint64) (a adaptive.Attempt, ok bool) {
	p := &f.places[at]
	if p.number != number {
		return a, false
	}
	p.number, p.next = 0, f.free
	f.free = at + 1
	f.n--
	return p.attempt, true
}

// list returns the attempts in progress; the slice is valid until the next call. It takes
// time in proportion to the largest number so far: a review does it once per round of
// calls.
func (f *flight) list() []adaptive.Attempt {
	f.listed = f.listed[:0]
	for i := range f.places {
		if p := &f.places[i]; p.number != 0 {
			f.listed = append(f.listed, p.attempt)
		}
	}
	return f.listed
}
