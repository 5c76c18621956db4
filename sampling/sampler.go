package sampling

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// The pace of a sample. Reading the clock costs about 35 ns, the CPU clock about 600 ns,
// so each is read only if that is cheap compared with what it measures.
const (
	// growth is the maximum size of the next block, as a multiple of the items done so
	// far.
	growth = 128
	// blockTime bounds a block of cheap items: with it, a hundred items of 50 ns are
	// timed with two reads. If a workload turns slow within a block, the caller must
	// handle it.
	blockTime = 10 * time.Microsecond
	// glance is how long to measure before a detailed measurement pays.
	glance = 20 * time.Microsecond
	// longGlance is how long to measure calls without the detailed look, and shortCall is
	// the maximum time of such a call.
	longGlance = 1 * time.Millisecond
	shortCall  = 5 * time.Microsecond
	// The detailed look, at the thread's CPU time and the allocations, takes 1/lookShare
	// of the remaining work within these bounds: the longer the run, the better it can be
	// measured.
	shortLook = 60 * time.Microsecond
	longLook  = 500 * time.Microsecond
	lookShare = 400
	// lookBlocks is the least number of clock readings during the look.
	lookBlocks = 6
	// slow is the time of a call from which running another call alone, for a better
	// measurement, costs more than it is worth.
	slow = 200 * time.Microsecond
	// worthwhile is the least remaining work that a second worker can speed up: waking a
	// sleeping thread takes 90 µs to 3 ms.
	worthwhile = 200 * time.Microsecond
)

// MaxItems is the largest sample that can be asked for.
const MaxItems = 10000

// Sampler paces the first items of a run and measures them. The caller asks
// [Sampler.Next] how many items to run, runs them, and calls [Sampler.Record], until
// [Sampler.Done].
//
// A Sampler is used by one goroutine and not again after Done. It allocates nothing. It
// costs about 35 ns per block and, for work worth a detailed look, 2 µs once.
type Sampler struct {
	total   int  // items of the whole input
	limit   int  // items to measure at most
	exact   bool // takes limit items in any case
	patient bool // measures slow calls in detail too, and stops only at its limit or when everything is known
	precise bool // reads the clock after the last block too
	brief   bool // skips the detailed look for short calls

	done        int
	start, last time.Duration
	first       time.Duration
	latest      time.Duration // the latest block
	stats       blockStats
	finished    bool

	look look
}

// Start begins to measure a workload of total items. With size 0 the sample takes as many
// items as it needs, and ends as soon as a slow call shows that the rest is better
// measured while several workers run; with a size of 1 to [MaxItems] it takes that many,
// if there are.
func Start(total, size int) Sampler {
	s := Sampler{total: total, limit: total}
	if size > 0 {
		s.limit, s.exact, s.patient = min(size, total), true, true
	}
	s.finished = s.limit == 0
	s.start = clock.Now()
	s.last = s.start
	return s
}

// Patient makes the sampler measure slow calls in detail too. It is for a caller that
// needs only the sample, like Optimize.
func (s *Sampler) Patient() { s.patient = true }

// Precise makes the sampler read the clock after the last block as well. It skips that
// otherwise, for an input that ends within the sample without an observer.
func (s *Sampler) Precise() { s.precise = true }

// Brief makes calls of a few microseconds count as CPU-bound without the detailed look.
// It is for a caller whose goroutine often waits for the next item, which is expensive on
// a locked thread. An actual wait would already make a call longer than that.
func (s *Sampler) Brief() { s.brief = true }

// Done reports whether the sample is complete: everything that a plan needs is known, or
// all items have been run.
func (s *Sampler) Done() bool { return s.finished }

// Items returns the number of items recorded.
func (s *Sampler) Items() int { return s.done }

// Next returns how many items to run before the next Record, at least 1 until Done.
func (s *Sampler) Next() int {
	if s.done == 0 {
		return 1
	}
	stretch := blockTime
	if s.look.begun && !s.look.known {
		stretch = s.look.length / lookBlocks
	}
	size := growth * s.done
	if mean := s.mean(); float64(size)*mean > float64(stretch) {
		size = int(float64(stretch) / mean)
	}
	return max(1, min(size, s.limit-s.done))
}

// Exclude leaves out of the measurement time since the last Record in which no items ran,
// for example waiting for a rate limit.
func (s *Sampler) Exclude(d time.Duration) {
	s.start += d
	s.last += d
	s.look.start += d
}

// Record tells that k more items have been run since the last Record.
func (s *Sampler) Record(k int) {
	if s.done+k == s.total && !s.precise && !s.look.begun {
		s.done += k // everything is done, and the time is not needed
		s.finished = true
		return
	}
	now := clock.Now()
	took := now - s.last
	s.last, s.latest = now, took
	if s.done == 0 {
		s.first = took
	} else {
		s.stats.add(k, took)
	}
	s.done += k
	s.look.items += k
	s.decide(now)
}

// decide chooses between continuing as before, the detailed look, and ending.
func (s *Sampler) decide(now time.Duration) {
	switch {
	case s.done >= s.limit:
		s.Finish()
	case s.look.known:
		// Everything is known, but more items were requested: continue.
	case s.look.begun:
		if now-s.look.start >= s.look.length {
			s.endLook(now)
			s.finished = s.look.known && !s.exact
		}
	case s.patient:
		s.beginLook()
	case s.Remaining() < worthwhile:
		// Too little is left for more workers to gain anything: continue.
	case s.mean() >= float64(slow):
		s.finished = true
	case s.short():
		s.finished = now-s.start >= longGlance
	default:
		s.finished = s.glanced(now - s.start)
	}
}

// glanced reports whether calls were measured for long enough to let helpers join.
// Measuring continues while they work. If little work is left, a longer glance is needed
// to be sure: the first calls run with cold caches.
func (s *Sampler) glanced(took time.Duration) bool {
	if took < glance {
		return false
	}
	ahead := saturate(s.stats.latest * float64(s.total-s.done))
	return ahead >= 5*worthwhile || ahead >= 2*worthwhile && took >= 3*glance
}

// short reports whether calls are too short to be waiting, if that is not measured.
func (s *Sampler) short() bool {
	return s.brief && !s.look.begun && s.mean() < float64(shortCall)
}

// Remaining estimates how long the items that have not been run would take one after the
// other, from the latest block as well as the mean: a workload that turns slow must be
// noticed at once.
func (s *Sampler) Remaining() time.Duration {
	return saturate(max(s.mean(), s.stats.latest) * float64(s.total-s.done))
}

// mean returns the mean nanoseconds of a call, without the first if there are others.
func (s *Sampler) mean() float64 {
	if s.stats.items > 0 {
		return s.stats.average
	}
	return float64(s.first)
}

// Finish ends the sample with what has been measured so far.
func (s *Sampler) Finish() {
	if s.look.begun && !s.look.known && s.look.items > 0 {
		s.look.again = true // there is no time for another look
		s.endLook(clock.Now())
	}
	s.finished = true
	s.Stop()
}

// Stop ends the sample early, for example after an error. It unlocks the goroutine from
// its thread if the sampler has locked it, and may be called at any time.
func (s *Sampler) Stop() {
	if s.look.locked {
		s.look.locked = false
		runtime.UnlockOSThread()
	}
}

// Sample returns what has been measured so far.
func (s *Sampler) Sample() Sample {
	sample := Sample{
		Items:      s.done,
		Elapsed:    s.last - s.start,
		First:      s.first,
		ItemNanos:  s.mean(),
		CV:         s.stats.cv(),
		CPUShare:   s.look.share,
		CPUKnown:   s.look.known && s.look.cpuKnown,
		AllocBytes: s.look.allocBytes,
		AllocKnown: s.look.known && s.look.allocKnown,
	}
	if s.done > 0 && s.short() {
		sample.CPUShare, sample.CPUKnown = 1, true
	}
	return sample
}

// Latest returns the time of the latest block.
func (s *Sampler) Latest() time.Duration { return s.latest }

// BlockStarted returns the instant at which the current block began.
func (s *Sampler) BlockStarted() time.Duration { return s.last }

// Started returns the instant at which the sample began.
func (s *Sampler) Started() time.Duration { return s.start }
