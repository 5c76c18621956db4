// Package queueing simulates a service: slots that serve one call each, a line in
// front of them, limits, outages. It is a state machine without clock and
// goroutine: what drives it says what time it is.
package queueing

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Server is a simulated service. It is used by one goroutine.
type Server struct {
	conditions Conditions
	random     *rand.Rand

	next    int // the number of the next call
	order   int // of the next event, among those of the same time
	busy    int // slots
	line    []int
	left    map[int]bool // calls in the line whose callers have gone
	hanging []int
	events  events
	bucket  float64       // tokens of the rate limit
	filled  time.Duration // when that was
}

// Reply is the end of a call. Err is nil or a [*RefusedError].
type Reply struct {
	Call int
	Err  error
}

// New returns a server whose draws follow from the seed.
func New(c Conditions, seed uint64) *Server {
	s := &Server{random: rand.New(rand.NewPCG(seed, 0x5e7)), left: map[int]bool{}}
	s.conditions = c
	s.bucket = float64(max(1, c.Burst))
	return s
}

// Change changes the conditions. Calls being served end as they would have.
func (s *Server) Change(now time.Duration, c Conditions) {
	s.refill(now)
	if s.conditions.Rate == 0 {
		s.bucket = float64(max(1, c.Burst))
	}
	s.conditions = c
	if c.Outage != Hanging {
		for _, call := range s.hanging {
			s.refuse(now, call, Unavailable, 0)
		}
		s.hanging = nil
	}
	s.serve(now)
}

// Arrive begins a call and returns its number.
func (s *Server) Arrive(now time.Duration) (call int) {
	call = s.next
	s.next++
	c := &s.conditions
	switch c.Outage {
	case Refusing:
		s.refuse(now, call, Unavailable, 0)
		return call
	case Hanging:
		s.hanging = append(s.hanging, call)
		return call
	}
	if c.Rate > 0 {
		if s.refill(now); s.bucket < 1 {
			s.refuse(now, call, Throttled, time.Duration((1-s.bucket)/c.Rate*1e9)+1)
			return call
		}
		s.bucket--
	}
	if c.Slots > 0 && s.busy >= c.Slots && c.Line != 0 && s.Waiting() >= max(0, c.Line) {
		s.refuse(now, call, Overloaded, 0)
		return call
	}
	s.line = append(s.line, call)
	s.serve(now)
	return call
}

// Leave ends a call whose caller has gone. A call that is being served goes on
// to occupy its slot, as it does in most services.
func (s *Server) Leave(call int) { s.left[call] = true }

// Waiting returns how many calls wait for a slot.
func (s *Server) Waiting() int { return len(s.line) }

// Next returns when something will happen, if anything will.
func (s *Server) Next() (at time.Duration, ok bool) {
	if len(s.events) == 0 {
		return 0, false
	}
	return s.events[0].at, true
}

// Advance lets everything happen up to now and returns the calls that ended.
func (s *Server) Advance(now time.Duration) (ended []Reply) {
	for len(s.events) > 0 && s.events[0].at <= now {
		e := heap.Pop(&s.events).(event)
		if e.served {
			s.busy--
			s.serve(e.at)
			if s.conditions.Network > 0 {
				s.at(event{at: e.at + s.conditions.Network, call: e.call})
				continue
			}
		}
		if s.left[e.call] {
			delete(s.left, e.call)
			continue
		}
		ended = append(ended, Reply{e.call, e.err})
	}
	return ended
}

// serve lets waiting calls into free slots.
func (s *Server) serve(now time.Duration) {
	c := &s.conditions
	for len(s.line) > 0 && (c.Slots == 0 || s.busy < c.Slots) {
		call := s.line[0]
		s.line = s.line[1:]
		if s.left[call] {
			delete(s.left, call)
			continue
		}
		var took time.Duration
		if c.Latency != nil {
			took = c.Latency(s.random)
		}
		if c.Congestion > 0 && c.Slots > 0 {
			took = time.Duration(float64(took) * (1 + c.Congestion*float64(len(s.line))/float64(c.Slots)))
		}
		s.busy++
		s.at(event{at: now + took, call: call, served: true})
	}
}

func (s *Server) refuse(now time.Duration, call int, reason Reason, after time.Duration) {
	if !s.conditions.RetryAfter {
		after = 0
	}
	s.at(event{at: now + s.conditions.Refusal, call: call, err: &RefusedError{reason, after}})
}

func (s *Server) refill(now time.Duration) {
	most := float64(max(1, s.conditions.Burst))
	s.bucket = min(most, s.bucket+(now-s.filled).Seconds()*s.conditions.Rate)
	s.filled = now
}

// event is the end of a service (served), or of a call.
type event struct {
	at     time.Duration
	order  int
	call   int
	served bool
	err    error
}

func (s *Server) at(e event) {
	e.order = s.order
	s.order++
	heap.Push(&s.events, e)
}

// events is a heap, the earliest first.
type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
