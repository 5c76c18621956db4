package executor

import (
	"errors"
	"fmt"
	"slices"
)

// delivery is the loop's side of a stream: it yields results in the loop's own
// goroutine.
type delivery[T, R any] struct {
	*stream[T, R]
	yield func(Result[T, R]) bool

	got  int64 // results that the loop has finished
	told int64 // of them, how many the producer was told of
	step int64 // after how many the producer is told: few compared with the window

	// Taken over from the workers, and swapped with their buffers.
	batch []Result[T, R]
	spans []span

	next   int // in order: the item to be yielded next
	parked ring[parking[T, R]]
	apart  int // ranges that are parked
}

// parking is the place of a result that is not next.
type parking[T, R any] struct {
	result Result[T, R]
	end    int // of the range that begins here, 0 if no range does
}

// all yields what is completed until the run has ended; it returns false if the
// loop was left.
func (d *delivery[T, R]) all() bool {
	for ended := false; ; {
		if !d.take() {
			if ended {
				return true
			}
			select {
			case <-d.ready:
			case <-d.finished:
				ended = true
			}
			continue
		}
		if !d.cfg.Unordered && !d.sort() {
			return false
		}
		if d.cfg.Unordered && !d.passAll(d.batch) {
			return false
		}
	}
}

// take takes over what the workers have completed. If there is nothing, the workers leave
// a token as soon as there is.
func (d *delivery[T, R]) take() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wait() {
		d.free()
		return false
	}
	d.batch, d.results = d.results, d.batch[:0]
	d.spans, d.ranges = d.ranges, d.spans[:0]
	return true
}

// free tells the producer how much room there is.
func (d *delivery[T, R]) free() {
	if d.told != d.got {
		d.told = d.got
		d.arrivals.Yielded(d.got)
	}
	d.arrivals.MakeRoom()
}

// sort yields the ranges of the batch that are next, and parks the others.
func (d *delivery[T, R]) sort() bool {
	from := 0
	for _, s := range d.spans {
		part := d.batch[from : from+s.Hi-s.Lo]
		from += len(part)
		if s.Lo != d.next {
			d.park(s, part)
			continue
		}
		d.next = s.Hi
		if !d.passAll(part) || !d.unpark() {
			return false
		}
	}
	return true
}

func (d *delivery[T, R]) park(s span, part []Result[T, R]) {
	if d.parked.blocks == nil {
		d.parked = newRing[parking[T, R]](d.window)
	}
	for k := range part {
		i := s.Lo + k
		d.parked.block(i).allocate(d.parked.size)
		d.parked.at(i).result = part[k]
		part[k] = Result[T, R]{}
	}
	d.parked.at(s.Lo).end = s.Hi
	d.apart++
}

// unpark yields the parked ranges that are next.
func (d *delivery[T, R]) unpark() bool {
	for d.apart > 0 && d.parkedAt(d.next) {
		at := d.parked.at(d.next)
		end := at.end
		at.end = 0
		d.apart--
		for ; d.next < end; d.next++ {
			if !d.pass(&d.parked.at(d.next).result) {
				return false
			}
		}
	}
	return true
}

// parkedAt reports whether a parked range begins at item i.
func (d *delivery[T, R]) parkedAt(i int) bool {
	return d.parked.block(i).values != nil && d.parked.at(i).end != 0
}

func (d *delivery[T, R]) passAll(results []Result[T, R]) bool {
	for i := range results {
		if !d.pass(&results[i]) {
			return false
		}
	}
	return true
}

// pass yields a result. Once the loop has finished it, there is room for another item.
// The producer is told so in steps that are small compared with the window.
func (d *delivery[T, R]) pass(at *Result[T, R]) bool {
	result := *at
	*at = Result[T, R]{}
	more := d.yield(result)
	if d.got++; d.got-d.told > d.step {
		d.free()
	}
	return more
}

// ending yields the error that ended the stream, if there is one, after the items that
// were taken from the input and not completed.
func (d *delivery[T, R]) ending() {
	s := d.stream
	last := d.last()
	more := true
	switch {
	case s.panicked != nil:
		d.behind(s.arrivals.Seen())
		return
	case s.failure != nil: // the loop gets this failure only
		more = d.behind(s.arrivals.Seen())
	case last.Err != nil:
		more = d.incomplete(last.Err)
	}
	if more && s.inputErr != nil && !isContextError(s.parent, s.inputErr) {
		more = d.yield(Result[T, R]{Index: -1, Err: s.inputErr})
	}
	if more && last.Err != nil {
		d.yield(last)
	}
}

// last returns the result that says why the stream ended; it has no error if the input
// was exhausted.
func (d *delivery[T, R]) last() Result[T, R] {
	s := d.stream
	if s.failure != nil {
		return *s.failure
	}
	last := Result[T, R]{Index: -1, Err: s.err}
	if last.Err == nil && s.parent.Err() != nil && !s.exhausted {
		last.Err = canceled(s.parent)
	}
	return last
}

// incomplete yields the results that were completed behind gaps, and the items in the
// gaps. It returns false if the loop was left.
func (d *delivery[T, R]) incomplete(why error) bool {
	for _, r := range d.gaps(why) {
		if !d.behind(r.Index) || !d.yield(r) {
			return false
		}
	}
	return d.behind(d.arrivals.Seen())
}

// gaps returns the items that were not completed, in order: calls that were made, and
// stopped, and items for which none was.
func (d *delivery[T, R]) gaps(why error) []Result[T, R] {
	all, made := d.stopped, make(map[int]bool, len(d.stopped))
	for i := range all { // the call's error is seldom the reason why the stream ended
		made[all[i].Index] = true
		if e, ok := errors.AsType[*ItemError](all[i].Err); ok {
			e.Err = &stoppedError{err: e.Err, why: why}
		}
	}
	notRun := &stoppedError{err: ErrNotRun, why: why}
	d.arrivals.Skip(nil) // known items that arrived after the run had ended belong here too
	for _, s := range d.arrivals.Rest() {
		for i := s.Lo; i < s.Hi; i++ {
			if of, known := d.known[i]; known {
				all = append(all, of)
			} else if !made[i] {
				all = append(all, Result[T, R]{Index: i, Item: *d.ring.at(i), Err: &ItemError{Index: i, Err: notRun}})
			}
		}
	}
	slices.SortFunc(all, func(a, b Result[T, R]) int { return a.Index - b.Index })
	return all
}

// behind yields what was completed before item i, in order.
func (d *delivery[T, R]) behind(i int) bool {
	for ; d.apart > 0 && d.next < i; d.next++ {
		if d.parkedAt(d.next) && !d.unpark() { // which leaves next at an item that is not parked
			return false
		}
	}
	return true
}

// stoppedError says why an item was not completed: its own error, and what ended the
// stream.
type stoppedError struct{ err, why error }

func (e *stoppedError) Error() string   { return fmt.Sprintf("%v: %v", e.err, e.why) }
func (e *stoppedError) Unwrap() []error { return []error{e.err, e.why} }
