package policies

import (
	"errors"
	"math"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/internal/answer"
)

// The breaker of a run, and how long it was open.

func (s *Set) breaker(o Options) error {
	flag, err := parseBreaker(o.Breaker)
	if err != nil || flag.off {
		return err
	}
	p := circuitbreaker.Policy{
		Name:             "--breaker",
		FailureThreshold: flag.inARow, FailureRate: flag.share, MinimumCalls: flag.minimum,
		OpenFor: o.BreakerWait, MaxWait: o.BreakerGiveUp, WhenOpen: circuitbreaker.Wait,
		SuccessThreshold: 1,
		IsFailure:        func(err error) bool { return !IsThrottled(err) && !process.Own(err) },
		OnOpen:           func(_ int, last error) { s.opened(last.Error()) },
		OnClose:          s.closed,
	}
	if p.FailureThreshold == 0 {
		p.FailureThreshold = math.MaxInt32 // the share decides
	}
	if p.OpenFor == 0 {
		p.OpenFor = 5 * time.Second
	}
	if p.MaxWait == 0 {
		p.MaxWait = 10 * time.Minute
	}
	s.policies = append(s.policies, &uncharged{set: s, giveUp: p.MaxWait})
	if s.http {
		p.IsFailure = nil // the transport knows
		if s.ByKey != nil {
			p.IsFailure, p.IsNeutral = failed, ofItem
			s.ByKey.Breakers, err = circuitbreaker.NewKeyed[string](p, 0)
			return err
		}
		s.BreakerPolicy = &p
		_, err = circuitbreaker.New(p)
		return err
	}
	if s.Breaker, err = circuitbreaker.New(p); err == nil {
		s.policies = append(s.policies, s.Breaker)
	}
	return err
}

// opened notes that the breaker is open; it may have been open before a probe failed.
func (s *Set) opened(why string) {
	s.why.Store(&why)
	if !s.openSince.CompareAndSwap(0, time.Now().UnixNano()) {
		return
	}
	if n := s.Opened.Add(1); n == 1 && s.Opening != nil {
		s.Opening(why)
	}
}

func (s *Set) closed() {
	if since := s.openSince.Swap(0); since > 0 {
		s.openFor.Add(time.Now().UnixNano() - since)
	}
}

// Open reports whether the breaker holds calls back now, how many wait, and why.
func (s *Set) Open() (open bool, waiting int, why string) {
	if s.openSince.Load() == 0 {
		return false, 0, ""
	}
	if s.Breaker != nil {
		_, counts := s.Breaker.Peek()
		waiting = counts.Waiting
	}
	if text := s.why.Load(); text != nil {
		why = *text
	}
	return true, waiting, why
}

// Paused returns how long the breaker has held calls back.
func (s *Set) Paused() time.Duration {
	paused := time.Duration(s.openFor.Load())
	if since := s.openSince.Load(); since > 0 {
		paused += time.Duration(time.Now().UnixNano() - since)
	}
	return paused
}

// failed reports whether a request's failure is the service's, as its error says: a failure without an answer is.
func failed(err error) bool {
	if failed, said := answer.Failure(err); said {
		return failed
	}
	return !IsThrottled(err)
}

// ofItem reports whether a failure says nothing about the service: it is the item's own, which another attempt
// would not fix, or this machine's.
func ofItem(err error) bool {
	var output *process.OutputError
	return answer.Permanent(err) || process.Own(err) || errors.As(err, &output)
}
