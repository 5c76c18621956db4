package joblog

import (
	"encoding/hex"
	"iter"
	"slices"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// numbers are the numbers of items, by identity. Most items are the only ones of their text, and need no list.
type numbers struct {
	one     map[identity]uint32
	several map[identity]*repeats
}

func newNumbers() numbers {
	return numbers{one: map[identity]uint32{}, several: map[identity]*repeats{}}
}

func (s numbers) add(id identity, n uint32) {
	if r := s.several[id]; r != nil {
		r.numbers = append(r.numbers, n)
		return
	}
	first, there := s.one[id]
	if !there {
		s.one[id] = n
		return
	}
	delete(s.one, id)
	s.several[id] = &repeats{numbers: []uint32{first, n}}
}

// repeats are the numbers of the finished items of one text.
type repeats struct {
	numbers []uint32 // ascending; those that the input has not reached
	ahead   int      // how many of them belong to such items in this input, too
	others  int      // numbers that belong to another item in this input
}

// take reports whether the item of number n has finished, and counts it off. That is the item of that number;
// where lines were added or removed since, it is one whose number belongs to another item now. has reports whether
// a later number belongs to an item of this text.
func (r *repeats) take(n uint32, has func(uint32) bool) bool {
	for len(r.numbers) > 0 && r.numbers[0] < n {
		r.drop(0)
		r.others++
	}
	switch {
	case len(r.numbers) > 0 && r.numbers[0] == n:
		r.drop(0)
		return true
	case r.others > 0:
		r.others--
		return true
	}
	for ; r.ahead < len(r.numbers); r.ahead++ {
		if !has(r.numbers[r.ahead]) {
			r.numbers = without(r.numbers, r.ahead)
			return true
		}
	}
	return false
}

func (r *repeats) drop(at int) {
	r.numbers = without(r.numbers, at)
	r.ahead = max(0, r.ahead-1)
}

// Finished says which items need not run again: each text as often as it has finished. Of several items of one
// text, these are the ones whose numbers have finished, as far as the input is unchanged.
type Finished struct{ over numbers }

// Finished returns the finished items; with again, failed items are not among them. The past must not be used
// afterwards.
func (p *Past) Finished(again bool) *Finished {
	if !again {
		for id, f := range p.failed {
			for _, n := range append(f.before, f.now...) {
				p.well.add(id, n)
			}
		}
	}
	for _, r := range p.well.several {
		slices.Sort(r.numbers)
	}
	return &Finished{over: p.well}
}

// Left returns the unfinished items, and calls skipped for each finished one. It may be used once.
func (f *Finished) Left(all iter.Seq[items.Item], skipped func()) iter.Seq[items.Item] {
	return func(yield func(items.Item) bool) {
		next, stop := iter.Pull(all)
		defer stop()
		in := &input{next: next}
		for it, ok := in.take(); ok; it, ok = in.take() {
			if f.skip(it, in) {
				skipped()
			} else if !yield(it.Item) {
				return
			}
		}
	}
}

func (f *Finished) skip(it known, in *input) bool {
	has := func(n uint32) bool { return in.has(n, it.id) }
	if r := f.over.several[it.id]; r != nil {
		return r.take(uint32(it.N), has)
	}
	n, there := f.over.one[it.id]
	if !there {
		return false
	}
	r := repeats{numbers: []uint32{n}}
	over := r.take(uint32(it.N), has)
	if over {
		delete(f.over.one, it.id)
	}
	return over
}

// known is an item with its identity.
type known struct {
	items.Item
	id identity
}

// input reads items, some of them ahead.
type input struct {
	next  func() (items.Item, bool)
	ahead []known // in the order of their numbers, one after the other
	ended bool
}

// mostAhead bounds how far the input is read ahead. An item that is not found within it counts as gone: then any
// item of that text counts as finished.
const mostAhead = 1 << 16

func (in *input) take() (it known, ok bool) {
	if len(in.ahead) == 0 && !in.read() {
		return it, false
	}
	it, in.ahead[0] = in.ahead[0], known{}
	in.ahead = in.ahead[1:]
	return it, true
}

func (in *input) read() bool {
	if in.ended {
		return false
	}
	it, ok := in.next()
	if in.ended = !ok; in.ended {
		return false
	}
	k := known{Item: it}
	_, _ = hex.Decode(k.id[:], []byte(it.Identity()))
	in.ahead = append(in.ahead, k)
	return true
}

// has reports whether the item of that number, which is still to come, has that identity.
func (in *input) has(n uint32, id identity) bool {
	for len(in.ahead) == 0 || in.ahead[len(in.ahead)-1].N < int(n) {
		if len(in.ahead) >= mostAhead || !in.read() {
			return false
		}
	}
	at := int(n) - in.ahead[0].N
	return at >= 0 && at < len(in.ahead) && in.ahead[at].N == int(n) && in.ahead[at].id == id
}
