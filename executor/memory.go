package executor

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

const (
	// A call counts if it is old enough to have allocated what it holds: a younger one would look
	// small. The age is half the time that a call takes, at least unitAge, and firstAge as long as
	// no call has ended: on a busy machine a goroutine may not have run at all for some
	// milliseconds.
	unitAge  = time.Millisecond
	firstAge = 20 * time.Millisecond
	// Forced collections may take 1/collectShare of the time. They mark about a byte per nanosecond;
	// a heap below cheapHeap is collected unconditionally.
	collectShare = 30
	cheapHeap    = 64 << 20
	// The pauses between two forced collections double, from firstPause to lastPause.
	firstPause = 2 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// memory keeps what the calls of a run hold of the heap within a limit, by
// bounding the units in flight: calls or, of batches, their items.
//
// What units hold is the memory that is live only because of them. Only a garbage collection tells
// what is live, so one is forced only if cheaper figures are not enough:
//
//  1. The size of all objects and the bytes allocated, garbage included, are upper bounds of what
//     units can hold. While these leave room for all wanted units, memory does not bind, and nothing
//     more is measured.
//  2. Otherwise a line is fitted through live heap over units in flight, at each collection, the
//     runtime's own or a forced one. It separates what a unit holds from what the rest of the
//     process holds. Until the number of units in flight has varied, everything that may belong to
//     units counts as theirs.
//
// It is used by one goroutine at a time: the one that makes the run, then the reviews. Workers read
// the atomic fields.
type memory struct {
	limit uint64 // bytes that units may hold together; 0 is no bound
	by    string // what set the limit, as named in a plan's limits
	heap  func() sampling.Heap
	heapBefore
	collections

	seen  sampling.Heap // as of the latest look
	units int           // in flight then
	line  line
	binds bool    // more units were wanted than memory allows
	first float64 // the most that a unit seemed to hold before any had ended
	unit  float64 // bytes that a unit holds, as assumed for the latest bound
	giant float64 // bytes of a unit that exceeds the limit by itself, 0 if none does

	allowed atomic.Int64 // units in flight, 0 without a limit
	ask     atomic.Bool  // a look with no unit in flight is requested
}

// heapBefore is what was known before the first unit.
type heapBefore struct {
	start sampling.Heap
	late  bool    // the first unit had begun before start was read
	prior float64 // earlier upper bound of what a unit holds, 0 if unknown
	began time.Duration
}

// collections are the garbage collections that are forced.
type collections struct {
	collect     func()
	forced      bool          // one was, since the latest look
	pause, next time.Duration // between two, and the earliest time of the next one
}

// load is what a run has in flight.
type load struct {
	units int   // in flight for long enough to count
	young int   // calls in flight that are too young to count
	ended int64 // units that have begun since start and ended
	want  int   // units that may be in flight before the next look, apart from memory
	size  int   // units of a call
}

// countsAt returns how old a call must be to count; base is the time of a call without load.
func (f load) countsAt(base time.Duration) time.Duration {
	if f.ended <= 0 {
		return firstAge
	}
	return max(unitAge, base/2)
}

// look bounds the units in flight by the present heap. It reports whether a collection would help
// and is due: then call force, and look again.
func (m *memory) look(now time.Duration, f load) (due bool) {
	if m.limit == 0 {
		return false
	}
	h := m.heap()
	m.learnFrom(h, f)
	m.seen, m.units, m.forced = h, f.units, false
	m.unit = m.most(h, f)
	if m.binds = m.allow(f.want); !m.binds {
		return false
	}
	if f.units+int(f.ended) > 0 && m.unit > float64(m.limit) {
		m.giant = max(m.giant, m.unit)
	}
	return f.units > 0 && 4*f.young <= f.units && m.due(now, h)
}

// learnFrom learns from a collection, if there was one and the number of units at that time is
// known.
func (m *memory) learnFrom(h sampling.Heap, f load) {
	// The runtime collects at any time, often just as a call allocates: the number of units at that
	// time is not known. Such a collection is used only if a forced one would be too expensive.
	if m.forced || h.Live != m.seen.Live && m.seen.Objects > 0 && h.Live > cheapHeap {
		// Not if many units started or ended meanwhile, or may not have allocated yet.
		if n := min(f.units, m.units); n > 0 && 4*(max(f.units, m.units)-n+f.young) <= n {
			m.learn(h, n)
		}
	}
}

// allow sets how many units may be in flight when want are wanted. It reports whether that is fewer.
func (m *memory) allow(want int) (binds bool) {
	allowed := optimizer.MemoryWorkers(m.limit, m.unit+optimizer.StackBytes, math.MaxInt32)
	if allowed >= want {
		// This is the bound until the next look, which may be late. It is a power of two, so that it
		// does not change every time.
		m.allowed.Store(max(int64(want), 1<<(bits.Len(uint(allowed))-1)))
		m.ask.Store(false)
		m.giant = 0
		return false
	}
	m.allowed.Store(int64(allowed))
	m.ask.Store(allowed == 1 && !m.line.varied)
	return true
}

// most returns the most that a unit can hold: from what ended units allocated, garbage included, and
// from collections. Before the first collection, it is what those in flight hold, garbage included,
// if they have allocated by now.
func (m *memory) most(h sampling.Heap, f load) float64 {
	most := math.Inf(1)
	allocated := float64(h.Allocated - m.start.Allocated)
	switch {
	case m.line.known:
		most = m.line.unit
	case f.units > 0:
		held := max(0, float64(h.Objects)-m.line.base)
		if !m.late {
			held = min(held, allocated)
		}
		most = held / float64(f.units)
		if f.ended <= 0 { // the first estimate holds until a unit has ended
			m.first = max(m.first, most)
			most = m.first
		}
	}
	if f.ended > 0 {
		most = min(most, allocated/float64(f.ended))
	}
	switch {
	case !math.IsInf(most, 1):
		return most
	case m.prior > 0:
		return m.prior
	}
	return unknownUnit
}

// learn takes what was live, at the latest collection, with units in flight.
func (m *memory) learn(h sampling.Heap, units int) {
	before := m.line.unit
	theirs := float64(h.Live) // at most
	if !m.late {
		theirs = min(theirs, float64(h.Allocated-m.start.Allocated))
	}
	m.line.add(float64(units), float64(h.Live), theirs)
	if math.Abs(m.line.unit-before) > before/4 {
		m.pause = 0 // things change: look more often
	}
}

// due reports whether a collection may be forced now.
func (m *memory) due(now time.Duration, h sampling.Heap) bool {
	if m.next == 0 {
		return h.Live <= cheapHeap || collectShare*time.Duration(h.Live) <= now-m.began
	}
	return now >= m.next
}

// force collects garbage. It takes long, so no lock may be held.
func (m *memory) force() {
	begun := clock.Now()
	m.collect()
	end := clock.Now()
	m.forced = true
	m.pause = min(max(firstPause, 2*m.pause), lastPause)
	m.next = end + max(m.pause, collectShare*(end-begun))
}

// empty records the heap with no unit in flight.
func (m *memory) empty() {
	h := m.heap()
	m.learn(h, 0)
	m.seen, m.units, m.forced = h, 0, false
	m.ask.Store(false)
}

// calls returns how many calls of size units each may be in flight, at most ceiling.
func (m *memory) calls(size, ceiling int) int {
	allowed := m.allowed.Load()
	if allowed == 0 {
		return ceiling
	}
	return min(ceiling, max(1, int(allowed)/max(1, size)))
}

// fit returns how many units, up to size, each of the calls may have.
func (m *memory) fit(size, calls int) int {
	allowed := m.allowed.Load()
	if allowed == 0 {
		return size
	}
	return min(size, max(1, int(allowed)/max(1, calls)))
}

// reason says why there are not more calls in flight.
func (m *memory) reason(size int) string {
	return fmt.Sprintf("memory: a call uses %s, the limit is %s", inBytes(m.unit*float64(max(1, size))), inBytes(float64(m.limit)))
}

// warnings says what the caller should know.
func (m *memory) warnings() (out []string) {
	if m.giant > 0 {
		out = append(out, fmt.Sprintf("memory: one call uses %s, more than the %s of %s: calls ran one at a time",
			inBytes(m.giant), inBytes(float64(m.limit)), m.by))
	}
	if m.late && m.binds && m.line.known && !m.line.varied {
		out = append(out, "memory: the use of the calls could not be separated from the rest of the process: all of it was counted as theirs")
	}
	return out
}

// line is live heap over units in flight: base + unit × units, by least squares
// over the latest collections, the later ones counting more.
type line struct {
	base, unit float64
	known      bool // there was a collection with units in flight
	varied     bool // the number of units in flight has varied

	weight, n, l, nn, nl float64
}

// add takes a collection. As long as the number of units in flight has not varied, theirs is the
// part of live that counts as the units'.
func (a *line) add(units, live, theirs float64) {
	const fade = 0.75
	a.weight = a.weight*fade + 1
	a.n = a.n*fade + units
	a.l = a.l*fade + live
	a.nn = a.nn*fade + units*units
	a.nl = a.nl*fade + units*live
	a.known = a.known || units > 0 // without units, it only tells about the rest of the process
	if det := a.weight*a.nn - a.n*a.n; det > 0.01*a.weight*a.nn {
		a.varied = true
		a.unit = max(0, (a.weight*a.nl-a.n*a.l)/det)
		a.base = max(0, (a.l-a.unit*a.n)/a.weight)
	} else {
		if !a.varied {
			a.base = max(a.base, live-theirs)
		}
		a.unit = max(0, a.l-a.base*a.weight) / max(1, a.n)
	}
	a.base = min(a.base, live)
	if units > 0 { // a larger estimate is adopted at once
		a.unit = max(a.unit, (live-a.base)/units)
	}
}

// inBytes formats a number of bytes with three significant digits.
func inBytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.3g GiB", n)
}
