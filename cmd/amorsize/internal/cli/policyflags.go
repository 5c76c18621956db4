package cli

import (
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
)

// policyFlags are the library's policies.
type policyFlags struct {
	o        policies.Options
	halt     string
	haltNow  bool
	deadline time.Duration
}

func (f *policyFlags) groups(retries int, breaker string) []group {
	rate := newGroup("Rate")
	s := rate.set
	s.StringVar(&f.o.Rate, "rate", "", "no more calls than that: `50/s`, 3000/m, 10/h; auto finds out by what is refused")
	s.IntVar(&f.o.Burst, "burst", 0, "so many calls at once where the rate has been saved up (default 1: an even pace)")
	s.StringVar(&f.o.ThrottleOn, "throttle-on", "", "failures that mean \"too many calls\": a `spec` (default exit:75; 429 and 503 of http)")
	s.StringVar(&f.o.RetryAfter, "retry-after", "", "where a failed command says how many seconds to wait: `err:/retry-after: (\\d+)/i`")

	failure := newGroup("Failure")
	s = failure.set
	s.IntVar(&f.o.Retries, "retries", retries, "so many more attempts at an item that failed")
	s.StringVar(&f.o.Backoff, "backoff", "", "the delay before the first retry and the longest one (default `200ms..30s`)")
	s.StringVar(&f.o.RetryOn, "retry-on", "", "failures worth a retry: a `spec` (default any but a command that can't be started)")
	s.StringVar(&f.o.FatalOn, "fatal-on", "", "failures that end the run: a `spec`")
	s.StringVar(&f.o.RetryBudget, "retry-budget", "", "retries are at most that `share` of what succeeds, as 20%")
	s.StringVar(&f.o.Timeout, "timeout", "", "an attempt is ended after `30s`, or 5x for so many times the usual")
	s.StringVar(&f.o.Breaker, "breaker", breaker, "hold items back while the service is down: after `8` failures in a row, or 50%/20 of at least 20, or off")
	s.DurationVar(&f.o.BreakerWait, "breaker-wait", 0, "how long until one item asks whether the service is back (default 5s)")
	s.DurationVar(&f.o.BreakerGiveUp, "breaker-give-up", 0, "how long items are held back before the run ends, to be resumed (default 10m)")
	s.StringVar(&f.halt, "halt", "", "start nothing more after `n` failures, or 5% of at least 20 items")
	s.BoolVar(&f.haltNow, "halt-now", false, "then end what is running, too")
	s.DurationVar(&f.deadline, "deadline", 0, "start nothing more after that time")
	rate.are(ofAnyone, "rate", "burst", "retry-after")
	rate.are(ofUser, "throttle-on")
	failure.are(ofAnyone, "retries", "backoff", "fatal-on", "retry-budget", "timeout", "breaker", "breaker-wait", "breaker-give-up",
		"halt", "halt-now", "deadline")
	failure.are(ofUser, "retry-on")
	return []group{rate, failure}
}

func (f *policyFlags) check() (*policies.Set, run.Ends, error) {
	ends := run.Ends{HaltText: f.halt, HaltNow: f.haltNow, Deadline: f.deadline}
	var err error
	if ends.Halt, err = policies.ParseHalt(f.halt); err != nil {
		return nil, ends, exit.Usage(err)
	}
	switch {
	case f.o.Burst < 0:
		return nil, ends, exit.Usagef("--burst %d: want 1 or more", f.o.Burst)
	case f.o.Burst > 0 && f.o.Rate == "":
		return nil, ends, exit.Usagef("--burst needs --rate")
	case f.deadline < 0:
		return nil, ends, exit.Usagef("--deadline %v: want a time above 0", f.deadline)
	case f.o.BreakerWait < 0 || f.o.BreakerGiveUp < 0:
		return nil, ends, exit.Usagef("--breaker-wait and --breaker-give-up: want times above 0")
	case f.haltNow && f.halt == "":
		return nil, ends, exit.Usagef("--halt-now needs --halt")
	}
	set, err := policies.New(f.o)
	if err != nil {
		return nil, ends, exit.Usage(err)
	}
	return set, ends, nil
}
