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
	s.StringVar(&f.o.Rate, "rate", "", "limit the rate of calls: `50/s`, 3000/m, 10/h; auto finds the rate from refusals")
	s.IntVar(&f.o.Burst, "burst", 0, "token bucket size: how many calls may start at once (default 1: an even pace)")
	s.StringVar(&f.o.ThrottleOn, "throttle-on", "", "failures that mean \"too many calls\": a `spec` (default exit:75; 429 and 503 of http)")
	s.StringVar(&f.o.RetryAfter, "retry-after", "", "where a failed command says how many seconds to wait: `err:/retry-after: (\\d+)/i`")

	failure := newGroup("Failure")
	s = failure.set
	s.IntVar(&f.o.Retries, "retries", retries, "how often a failed item is retried")
	s.StringVar(&f.o.Backoff, "backoff", "", "the delay before the first retry and the longest delay (default `200ms..30s`)")
	s.StringVar(&f.o.RetryOn, "retry-on", "", "failures to retry: a `spec` (default any but a command that can't be started)")
	s.StringVar(&f.o.FatalOn, "fatal-on", "", "failures that end the run: a `spec`")
	s.StringVar(&f.o.RetryBudget, "retry-budget", "", "limit retries to this `share` of the successes, such as 20%")
	s.StringVar(&f.o.Timeout, "timeout", "", "end an attempt after `30s`, or 5x for five times its usual duration")
	s.StringVar(&f.o.Breaker, "breaker", breaker, "pause while the service is down: after `8` failures in a row, or 50%/20 for half of at least 20, or off")
	s.DurationVar(&f.o.BreakerWait, "breaker-wait", 0, "how long to pause before one item probes whether the service is back (default 5s)")
	s.DurationVar(&f.o.BreakerGiveUp, "breaker-give-up", 0, "how long to pause before the run ends and can be resumed (default 10m)")
	s.StringVar(&f.halt, "halt", "", "start no more jobs after `n` failures, or 5% of at least 20 items")
	s.BoolVar(&f.haltNow, "halt-now", false, "with --halt, also end running jobs")
	s.DurationVar(&f.deadline, "deadline", 0, "start no more jobs after this time")
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
		return nil, ends, exit.Usagef("--burst %d: must be at least 1", f.o.Burst)
	case f.o.Burst > 0 && f.o.Rate == "":
		return nil, ends, exit.Usagef("--burst needs --rate")
	case f.deadline < 0:
		return nil, ends, exit.Usagef("--deadline %v: must be a duration above 0", f.deadline)
	case f.o.BreakerWait < 0 || f.o.BreakerGiveUp < 0:
		return nil, ends, exit.Usagef("--breaker-wait and --breaker-give-up: must be durations above 0")
	case f.haltNow && f.halt == "":
		return nil, ends, exit.Usagef("--halt-now needs --halt")
	}
	set, err := policies.New(f.o)
	if err != nil {
		return nil, ends, exit.Usage(err)
	}
	return set, ends, nil
}
