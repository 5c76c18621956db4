package cli

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// noteBox holds what the line of progress says instead of the usual.
type noteBox struct {
	mu   sync.Mutex
	text string
}

func (n *noteBox) set(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = text
}

func (n *noteBox) get() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text
}

// defaultGrace is how long what runs is given to end.
const defaultGrace = 10 * time.Second

// handleSignals ends the run step by step: an interrupt lets what runs end, a
// second one asks it to, a third one kills it. Being terminated is the same with
// the grace between the steps. It returns a function that takes the signals back.
func (s *session) handleSignals() (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, allSignals...)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		interrupts := 0
		var next <-chan time.Time // when the next step of a termination is due
		for {
			select {
			case <-quit:
				return
			case <-next:
				interrupts++
				s.escalate(interrupts)
				next = time.After(s.flags.grace)
			case got := <-signals:
				switch {
				case got == os.Interrupt:
					interrupts++
					s.control.Stop(jobs.ErrInterrupted)
					s.escalate(interrupts)
				case isTermination(got):
					s.control.Stop(jobs.ErrTerminated)
					interrupts = max(interrupts, 1)
					s.escalate(interrupts)
					next = time.After(s.flags.grace)
				default:
					s.other(got)
				}
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
		<-ended
	}
}

func (s *session) escalate(step int) {
	running := s.state.Running.Load()
	switch step {
	case 1:
		s.say(fmt.Sprintf("draining: %d running, nothing more is started; Ctrl-C again terminates them", running))
	case 2:
		s.groups.Raise(process.Asked)
		if s.killed != nil {
			s.killed()
		}
		s.say(fmt.Sprintf("terminating %d; Ctrl-C again kills them", running))
	default:
		s.groups.Raise(process.Killed)
		s.say(fmt.Sprintf("killing %d", running))
	}
}

func (s *session) say(note string) {
	s.note.set(note)
	s.term.Say("amorsize: " + note)
}

// list tells what runs.
func (s *session) list() {
	for _, r := range s.groups.List() {
		s.term.Sayf("  slot %d  pid %d  %s  %s", r.Slot, r.Pid, jobs.Short(time.Since(r.Since)), summary.Brief(secrets.Hide(r.Item), 60))
	}
}
