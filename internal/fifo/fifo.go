// Package fifo is the line of those who wait for a turn: first come, first served, and any
// of them may leave.
package fifo

// Line is a list of places. The zero value is empty. It has no lock.
type Line[T any] struct {
	first, last *Place[T]
	n           int
}

// Place is one in a line.
type Place[T any] struct {
	Value      T
	prev, next *Place[T]
	in         bool
}

// Push adds a place at the end.
func (l *Line[T]) Push(v T) *Place[T] {
	p := &Place[T]{Value: v, prev: l.last, in: true}
	if l.last != nil {
		l.last.next = p
	} else {
		l.first = p
	}
	l.last = p
	l.n++
	return p
}

// Remove takes a place of this line out, wherever it is. It is false if it was out
// already.
func (l *Line[T]) Remove(p *Place[T]) bool {
	if !p.in {
		return false
	}
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.last = p.prev
	}
	p.prev, p.next, p.in = nil, nil, false
	l.n--
	return true
}

// First returns the first place, or nil.
func (l *Line[T]) First() *Place[T] { return l.first }

// Len returns how many there are.
func (l *Line[T]) Len() int { return l.n }
