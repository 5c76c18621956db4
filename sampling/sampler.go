package sampling

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// The pace of a sample. Reading the clock costs about 35 ns, the CPU clock
// about 600 ns, so each is read only where it is small against what it measures.
const (
	// growth is how many times the items done so far the next block may hold.
	growth = 128
	// blockTime bounds a block of cheap items: with it, a hundred items of 50 ns
	// are timed with two reads. A workload that turns slow in the midst of a
	// block is the business of whoever runs it.
	blockTime = 10 * time.Microsecond
	// glance is how long to watch before it pays to measure more closely.
	glance = 20 * time.Microsecond
	// longGlance is how long to watch calls that are not looked at closely, and
	// shortCall what one of them takes at the most.
	longGlance = 1 * time.Millisecond
	shortCall  = 5 * time.Microsecond
	// The close look, at the thread's CPU time and the allocations, takes
	// 1/lookShare of the work ahead within these bounds: the longer the run, the
	// less it costs to measure it well.
	shortLook = 60 * time.Microsecond
	longLook  = 500 * time.Microsecond
	lookShare = 400
	// lookBlocks is how many times the clock is read during it at the least.
	lookBlocks = 6
	// slow is the length of a call from which on running another one alone, to
	// measure it better, costs more than it tells.
	slow = 200 * time.Microsecond
	// worthwhile is the least amount of work ahead that a second worker can
	// speed up: waking a sleeping thread takes 90 µs to 3 ms.
	worthwhile = 200 * time.Microsecond
)

// MaxItems is the largest sample that can be asked for.
const MaxItems = 10000

// Sampler paces the first items of a run and measures them. The caller asks
// [Sampler.Next] how many items to run, runs them, and tells [Sampler.Record];
// until [Sampler.Done].
//
// A Sampler is used by one goroutine and not again after Done. It costs no
// allocation: about 35 ns per block and, for work worth a close look, 2 µs once.
type Sampler struct {
	total   int  // items of the whole input
	limit   int  // items to measure at the most
	exact   bool // takes limit items, whatever is known
	patient bool // measures slow calls closely too, and stops only at its limit or when all is known
	precise bool // reads the clock after the last block too
	brief   bool // does not look closely at short calls

	done        int
	start, last time.Duration
	first       time.Duration
	latest      time.Duration // the latest block
	stats       blockStats
	finished    bool

	look look
}

// Start begins to measure a workload of total items. With size 0 the sample
// takes as many items as it needs, and leaves the rest alone as soon as a slow
// call shows that they are better measured in company; with a size of 1 to
// [MaxItems] it takes that many, if there are.
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

// Patient makes the sampler measure a slow call closely too: for a caller who
// wants the sample for itself, as Optimize does.
func (s *Sampler) Patient() { s.patient = true }

// Precise makes the sampler read the clock after the last block as well, which
// it spares an input that ends within the sample and that nobody watches.
func (s *Sampler) Precise() { s.precise = true }

// Brief has calls of a few microseconds taken for computing without the close
// look: for a caller whose goroutine often waits for the next item, which a tied
// thread makes dear. Waiting itself would take a call that long.
func (s *Sampler) Brief() { s.brief = true }

// Done reports whether nothing more needs to be run for the sample: all is
// known that a plan needs, or all items have been run.
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

// Exclude leaves time out of what is measured that the block since the last
// Record took without running items: waiting for a rate limit, say.
func (s *Sampler) Exclude(d time.Duration) {
	s.start += d
	s.last += d
	s.look.start += d
}

// Record tells that k more items have been run since the last Record.
func (s *Sampler) Record(k int) {
	if s.done+k == s.total && !s.precise && !s.look.begun {
		s.done += k // all is done, and nobody asks how long it took
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

// decide chooses between going on as before, looking closely, and being done.
func (s *Sampler) decide(now time.Duration) {
	switch {
	case s.done >= s.limit:
		s.Finish()
	case s.look.known:
		// All is known, and more was asked for: go on.
	case s.look.begun:
		if now-s.look.start >= s.look.length {
			s.endLook(now)
			s.finished = s.look.known && !s.exact
		}
	case s.patient:
		s.beginLook()
	case s.Remaining() < worthwhile:
		// Too little is left for more workers to gain anything: go on.
	case s.mean() >= float64(slow):
		s.finished = true
	case s.short():
		s.finished = now-s.start >= longGlance
	default:
		s.finished = s.glanced(now - s.start)
	}
}

// glanced reports whether it was watched for long enough to let others join. The rest
// is measured while they work, too. Where that is little, it takes a longer glance to be
// sure: the first calls run with cold caches.
func (s *Sampler) glanced(took time.Duration) bool {
	if took < glance {
		return false
	}
	ahead := saturate(s.stats.latest * float64(s.total-s.done))
	return ahead >= 5*worthwhile || ahead >= 2*worthwhile && took >= 3*glance
}

// short reports whether calls are too short to wait, where that is not looked at.
func (s *Sampler) short() bool {
	return s.brief && !s.look.begun && s.mean() < float64(shortCall)
}

// Remaining estimates how long the items that have not been run would take
// one after the other, judged by the latest block as well as by the mean: a
// workload that turns slow must be noticed at once.
func (s *Sampler) Remaining() time.Duration {
	return saturate(max(s.mean(), s.stats.latest) * float64(s.total-s.done))
}

// mean returns the mean nanoseconds of a call, the first left out if there are others.
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

// Stop ends the sample early, as after an error. It unties the goroutine from
// its thread if the sampler has tied it, and may be called at any time.
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

// BlockStarted returns the instant at which the block under way began.
func (s *Sampler) BlockStarted() time.Duration { return s.last }

// Started returns the instant at which the sample began.
func (s *Sampler) Started() time.Duration { return s.start }
