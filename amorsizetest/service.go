package amorsizetest

import (
	"context"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/queueing"
)

// Service is a simulated service. It is safe for concurrent use. Outside of a
// [testing/synctest] bubble it works in real time.
type Service struct {
	start time.Time

	mu         sync.Mutex // never held while a call waits
	conditions Conditions
	server     *queueing.Server
	changes    []change
	timer      *time.Timer
	calls      map[int]*call
	timeline   Timeline
}

type change struct {
	at         time.Duration
	conditions Conditions
}

// call is a call in progress.
type call struct {
	began time.Duration
	ended chan error
}

// New starts a service. The seed determines the random times.
func New(c Conditions, seed uint64) *Service {
	return &Service{
		start: time.Now(), conditions: c, server: queueing.New(c.simulated(), seed), calls: map[int]*call{},
	}
}

// Conditions returns the present conditions of the service.
func (s *Service) Conditions() Conditions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conditions
}

// At changes the conditions at a time since the start. Changes must be given in
// the order of their times. Calls being served end as they would have.
func (s *Service) At(at time.Duration, c Conditions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, change{at, c})
	s.advance()
}

// Call calls the service and returns when it answers, or when ctx ends. The error is a
// [*RefusedError], or that of ctx. A call that is given up in the line leaves it; one
// that is being served still occupies its slot.
func (s *Service) Call(ctx context.Context) error {
	s.mu.Lock()
	s.advance() // changes that are due
	c := &call{began: s.now(), ended: make(chan error, 1)}
	id := s.server.Arrive(c.began)
	s.calls[id] = c
	s.timeline.began(c.began, len(s.calls))
	s.advance()
	s.mu.Unlock()
	select {
	case err := <-c.ended:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-c.ended: // at the same instant
		return err
	default:
	}
	s.server.Leave(id)
	delete(s.calls, id)
	s.timeline.add(s.now(), c.began, len(s.calls), context.Cause(ctx))
	return ctx.Err()
}

// Timeline returns what has happened so far.
func (s *Service) Timeline() Timeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.timeline
	t.Until = s.now()
	return t
}

func (s *Service) now() time.Duration { return time.Since(s.start) }

// advance executes everything that is due, and sets the timer for the next event. mu is
// held.
func (s *Service) advance() {
	now := s.now()
	for len(s.changes) > 0 && s.changes[0].at <= now {
		s.end(s.changes[0].at)
		s.conditions = s.changes[0].conditions
		s.server.Change(s.changes[0].at, s.conditions.simulated())
		s.changes = s.changes[1:]
	}
	s.end(now)
	next, ok := s.server.Next()
	if len(s.changes) > 0 && (!ok || s.changes[0].at < next) {
		next, ok = s.changes[0].at, true
	}
	switch {
	case !ok:
	case s.timer == nil:
		s.timer = time.AfterFunc(next-now, s.wake)
	default:
		s.timer.Reset(next - now)
	}
}

func (s *Service) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
}

// end answers the calls that end by now. mu is held.
func (s *Service) end(now time.Duration) {
	for _, reply := range s.server.Advance(now) {
		c, waiting := s.calls[reply.Call]
		if !waiting {
			continue
		}
		delete(s.calls, reply.Call)
		err := refusal(reply.Err)
		s.timeline.add(now, c.began, len(s.calls), err)
		c.ended <- err
	}
}
