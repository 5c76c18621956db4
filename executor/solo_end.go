package executor

import "github.com/amorsize/amorsize/internal/clock"

// How a solo ends: everything was run, a run with several workers takes over, or the
// caller's goroutine exits.

// complete reports whether all items have been run and no listener needs notices.
func (o *solo) complete() bool {
	if o.failed || o.span.Hi < o.total || o.cfg.watched() || o.cfg.past != nil {
		return false
	}
	o.ended = o.alarm.leave(between, over)
	return o.ended
}

// settle ends the solo: from here on the alarm does nothing. It returns the
// run if the alarm has made one.
func (o *solo) settle() *run {
	for phase := o.alarm.phase(); phase != taken; phase = o.alarm.phase() {
		if o.alarm.leave(phase, over) {
			return nil
		}
	}
	<-o.alarm.ready
	return o.made
}

// goOn runs the remaining items and ends the run.
func (o *solo) goOn() error {
	p := o.settle()
	joined := p != nil
	o.w.policed.sampling = false
	o.sampler.Stop()
	if !joined {
		o.sampler.Finish()
		p = newRun(o.begun())
	}
	o.ended = true // from here on the run handles everything
	return p.run(func() {
		if joined {
			p.arrive(o.span, o.err)
			return
		}
		if o.failed {
			p.takeOver(o.span, o.err, o.sampler.BlockStarted())
		}
		p.announce()
	})
}

// close is deferred. It frees what the solo holds. If the caller's goroutine is exiting,
// because fn called Goexit or an observer panicked, it ends the run.
func (o *solo) close(err *error) {
	if o.ended {
		o.release()
		return
	}
	v := recover()
	// A stream that continues after failures also continues after a Goexit.
	goesOn := v == nil && o.arrivals != nil && o.cfg.Errors == Collect && !o.w.returned
	if !goesOn {
		o.over.Store(true)
	}
	p := o.settle()
	o.sampler.Stop()
	if p == nil {
		p = newRun(o.begun())
		p.caller.claimed = o.span
		p.caller.began.Store(int64(o.sampler.BlockStarted()))
		p.caller.size.Store(int64(o.span.Hi - o.span.Lo))
	}
	if goesOn {
		*err = p.run(func() { p.goexit(p.caller) })
		return
	}
	*err = p.abandon(v)
}

// release frees what the solo holds. It keeps the solo with its alarm for another run if
// nothing else refers to it.
func (o *solo) release() {
	o.sampler.Stop()
	if o.run != nil {
		o.run.end(nil)
	}
	if !o.handedOver {
		o.cfg.Session.end(o.span.Hi, int64(o.w.failed))
	}
	switch a := o.alarm; {
	case a.phase() == taken:
	case clock.Virtual(o.start):
		if o.armed {
			a.timer.Stop()
		}
	case !o.handedOver && o.batches == nil: // otherwise the run refers to it
		a.leave(between, over)
		timed := o.timed
		*o = solo{soloAlarms: soloAlarms{timed: timed}}
		spare.Store(o)
	}
}
