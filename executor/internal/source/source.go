// Package source holds what a run has left to do: items, known by their number, of
// which workers claim ranges. Each is claimed once, and again only after it was
// handed back.
//
// Workers claim large ranges first and smaller ones towards the end (guided
// self-scheduling; Polychronopoulos and Kuck, IEEE Trans. Computers, 1987): how large,
// they say themselves.
//
// [Slice] is for items that are all there from the start, [Arrivals] for those that come
// while the run goes on. Another kind of source is another implementation of [Source].
package source

// Span is the items from Lo up to but not including Hi.
type Span struct{ Lo, Hi int }

// Len returns the number of items.
func (s Span) Len() int { return s.Hi - s.Lo }

// Source is what is left to run. All methods are safe for concurrent use. A claim costs
// an atomic addition (3 ns) unless something was handed back.
type Source interface {
	// Take claims up to size items, at least one, for one of so many workers. It may wait
	// for items to come: waited says whether it did. ok is false if there are none left,
	// or the run is over.
	Take(size, workers int) (s Span, waited, ok bool)
	// Return hands back items that were claimed and not run.
	Return(s Span)
	// Left returns how many items nobody has claimed; [Many] if more may come.
	Left() int
	// Demand returns how many workers wait for items, and how many items there are to claim.
	Demand() (idle, there int)
	// Seen returns how many items there have been, claimed or not.
	Seen() int
	// Rest returns the items that nobody has run, once all workers are gone.
	Rest() []Span
	// Stop says that no item is wanted any more.
	Stop()
}

// Many stands for a number of items that is not known: many, and still far from the
// largest int of any machine.
const Many = 1 << 30
