package run

import (
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// escalation ends a run step by step: an interrupt lets running jobs end, a second one asks them to, a third one
// kills them. A termination does the same, with the grace between the steps.
type escalation struct {
	env   *Environment
	grace time.Duration
	kill  func()            // ends running attempts that are not process groups
	say   func(note string) // shows the step
}

// HandleSignals ends the run by signals, until the returned function is called. kill ends running attempts that
// are not process groups. say is called at each step.
func (e *Environment) HandleSignals(grace time.Duration, kill func(), say func(note string)) (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, allSignals...)
	end := (&escalation{e, grace, kill, say}).begin(signals)
	return func() {
		signal.Stop(signals)
		end()
	}
}

// begin handles signals until the returned function is called, which waits for the step that is being taken.
func (e *escalation) begin(signals <-chan os.Signal) (end func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		e.handle(signals, quit)
	}()
	return func() {
		close(quit)
		<-ended
	}
}

func (e *escalation) handle(signals <-chan os.Signal, quit <-chan struct{}) {
	step := 0
	var next <-chan time.Time // when the next step of a termination is due
	for {
		select {
		case <-quit:
			return
		case <-next:
			step++
			e.take(step)
			next = time.After(e.grace)
		case got := <-signals:
			switch {
			case got == os.Interrupt:
				step++
				e.env.Control.Stop(jobs.ErrInterrupted)
				e.take(step)
			case isTermination(got):
				e.env.Control.Stop(jobs.ErrTerminated)
				step = max(step, 1)
				e.take(step)
				next = time.After(e.grace)
			default:
				e.env.otherSignal(got)
			}
		}
	}
}

// take takes a step; the first one is 1.
func (e *escalation) take(step int) {
	running := e.env.State.Running.Load()
	switch step {
	case 1:
		e.say(fmt.Sprintf("draining: %d running, no more are started; Ctrl-C again terminates them", running))
	case 2:
		e.env.Groups.Raise(process.Asked)
		e.kill()
		e.say(fmt.Sprintf("terminating %d; Ctrl-C again kills them", running))
	default:
		e.env.Groups.Raise(process.Killed)
		e.say(fmt.Sprintf("killing %d", running))
	}
}

// list lists the running jobs.
func (e *Environment) list() {
	for _, r := range e.Groups.List() {
		e.Terminal.Sayf("  slot %d  pid %d  %s  %s", r.Slot, r.Pid, jobs.Short(time.Since(r.Since)), summary.Brief(secrets.Hide(r.Item), 60))
	}
}
