package source

import (
	"slices"
	"sync"
	"sync/atomic"
)

// returns are the ranges that were handed back: they go to whoever claims next.
type returns struct {
	items atomic.Int64 // handed back and not claimed again
	mu    sync.Mutex
	spans []Span
}

// add hands s back; it reports whether there is something in it.
func (r *returns) add(s Span) bool {
	if s.Lo >= s.Hi {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
	r.items.Add(int64(s.Len()))
	return true
}

// take claims up to size items; ok is false if there are none.
func (r *returns) take(size int) (s Span, ok bool) {
	if r.items.Load() == 0 {
		return Span{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.spans) - 1
	if last < 0 { // another worker has taken it just now
		return Span{}, false
	}
	s = r.spans[last]
	if s.Len() > size {
		r.spans[last].Lo += size
		s.Hi = s.Lo + size
	} else {
		r.spans = r.spans[:last]
	}
	r.items.Add(-int64(s.Len()))
	return s, true
}

// rest returns all of them, and what there is from next up to total.
func (r *returns) rest(next, total int64) []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := append([]Span(nil), r.spans...)
	if next < total {
		out = append(out, Span{int(next), int(total)})
	}
	return out
}

// replace has these ranges be all that was handed back.
func (r *returns) replace(spans []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = slices.Clone(spans)
	n := 0
	for _, s := range spans {
		n += s.Len()
	}
	r.items.Store(int64(n))
}
