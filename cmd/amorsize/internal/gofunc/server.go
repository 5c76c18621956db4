package gofunc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Server is a harness that answers calls, many at a time. It is safe for
// concurrent use.
type Server struct {
	p *program

	mu      sync.Mutex
	writing sync.Mutex
	next    int64
	waiting map[int64]*question
	dead    error // why it no longer answers
	ended   chan struct{}
}

type question struct {
	n      int // of the first item, for a person
	answer chan *record
}

// Serve starts the harness as a server.
func (b *Binary) Serve(output io.Writer, dir string) (*Server, error) {
	p, err := b.start(context.Background(), output, dir, "AMORSIZE_MODE=serve")
	if err != nil {
		return nil, err
	}
	s := &Server{p: p, waiting: map[int64]*question{}, ended: make(chan struct{})}
	go s.read()
	return s, nil
}

func (s *Server) read() {
	defer close(s.ended)
	ended := false
	for {
		r, err := s.p.next()
		if err != nil {
			break
		}
		if r.Type == "end" {
			ended = true
		}
		s.mu.Lock()
		q := s.waiting[r.ID]
		delete(s.waiting, r.ID)
		s.mu.Unlock()
		if q != nil {
			q.answer <- r
		}
	}
	s.die(ended, s.p.end())
}

// die leaves the calls in flight without an answer, and says why: err is how the process ended, and ended says
// that it came to its end.
func (s *Server) die(ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := 0
	for _, q := range s.waiting {
		if first == 0 || q.n < first {
			first = q.n
		}
	}
	switch {
	case ended && len(s.waiting) == 0:
		s.dead = errors.New("the function's process has been ended")
	case len(s.waiting) > 1:
		s.dead = fmt.Errorf("one of %d items under way: %w", len(s.waiting), s.p.died(first, 1, err))
	default:
		s.dead = s.p.died(first, 1, err)
	}
	for _, q := range s.waiting {
		close(q.answer)
	}
}

// ErrDied is why a call has no answer: the process has ended.
var ErrDied = errors.New("the function's process has ended")

// Answer is what a call returned.
type Answer struct {
	Results   []json.RawMessage
	Wall, CPU time.Duration // CPU is 0 if other calls ran meanwhile
}

// Call makes a call. n is the first item's number. With a limit, the call's
// context ends after that time, and so does the wait for it.
func (s *Server) Call(n int, raw []json.RawMessage, limit time.Duration) (Answer, error) {
	q := &question{n: n, answer: make(chan *record, 1)}
	s.mu.Lock()
	if s.dead != nil {
		defer s.mu.Unlock()
		return Answer{}, fmt.Errorf("%w: %w", ErrDied, s.dead)
	}
	s.next++
	id := s.next
	s.waiting[id] = q
	s.mu.Unlock()
	line, err := json.Marshal(map[string]any{"id": id, "items": raw, "timeout_ns": int64(limit)})
	if err != nil {
		return Answer{}, err
	}
	s.writing.Lock()
	_, err = s.p.in.Write(append(line, '\n'))
	s.writing.Unlock()
	_ = err // then it has ended, which closes the answer
	var late <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case r, ok := <-q.answer:
		if !ok {
			return Answer{}, fmt.Errorf("%w: %w", ErrDied, s.dead)
		}
		return Answer{r.Results, time.Duration(r.Wall), time.Duration(r.CPU)}, r.failure()
	case <-late:
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
		return Answer{}, context.DeadlineExceeded
	}
}

// Close ends the process.
func (s *Server) Close() {
	_ = s.p.in.Close()
	select {
	case <-s.ended:
	case <-time.After(2 * time.Second): // abandoned calls may never return
		s.Kill()
		<-s.ended
	}
}

// Kill ends the process at once.
func (s *Server) Kill() { kill(s.p.cmd) }
