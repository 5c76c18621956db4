package sampling

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// look is the detailed measurement, of CPU time and allocations.
type look struct {
	begun, known, locked bool
	again                bool // a first look showed waiting calls

	items      int
	start      time.Duration
	length     time.Duration
	thread     Thread
	cpu        time.Duration
	cpuKnown   bool
	share      float64
	alloc      uint64
	allocKnown bool
	allocBytes float64
}

// beginLook starts to measure CPU time and allocations. CPU time is the
// thread's, so the goroutine is tied to its thread until endLook.
func (s *Sampler) beginLook() {
	if !s.look.locked {
		runtime.LockOSThread()
		s.look.locked = true
		s.look.thread = CurrentThread()
		s.look.length = min(max(s.Remaining()/lookShare, shortLook), longLook)
	}
	s.look.begun, s.look.items = true, 0
	s.look.alloc, _ = HeapAllocated() // if this can be read at the end, it can be read now
	s.look.cpu, _ = s.look.thread.CPU()
	s.look.start = clock.Now()
	s.last = s.look.start
}

// endLook ends the measurement, or begins it once more: a preempted thread looks like a
// waiting one, so waiting must be seen twice.
func (s *Sampler) endLook(now time.Duration) {
	cpu, ok := s.look.thread.CPU()
	wall := now - s.look.start
	if s.look.cpuKnown = ok && wall >= CPUResolution; s.look.cpuKnown {
		s.look.share = max(s.look.share, min(1, float64(cpu-s.look.cpu)/float64(wall)))
	}
	bytes, ok := HeapAllocated()
	if s.look.allocKnown = ok; ok {
		s.look.allocBytes = float64(bytes-s.look.alloc) / float64(s.look.items)
	}
	if s.look.cpuKnown && s.look.share < cpuBoundShare && !s.look.again {
		s.look.again = true
		s.beginLook()
		return
	}
	s.look.known = true
	s.Stop()
	s.last = clock.Now()
}
