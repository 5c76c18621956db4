// Package circuitbreaker stops calling a service that is down, and finds out when
// it is back.
//
//	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 5, OpenFor: time.Minute})
//	err := breaker.Do(ctx, call)
//
//	          failures reach a threshold
//	closed ─────────────────────────────► open ◄─────────┐
//	  ▲                                     │ OpenFor    │ a probe fails
//	  │    SuccessThreshold probes succeed  ▼            │
//	  └───────────────────────────────── half-open ──────┘
//
// Closed, calls pass and their outcomes are counted. Open, none passes. Half-open, a
// few pass as probes, at most Policy.HalfOpenProbes at a time.
//
// # Reject or wait
//
// While open, calls fail at once ([Reject], the default), which is right for a
// server that has an answer to give, or wait until they may pass ([Wait]), which is
// right for a batch: an outage then pauses the run and loses no item, where
// rejecting would burn all that are left within a second.
//
// # What counts
//
// A call fails if it returns an error that Policy.IsFailure takes for one, panics, or
// ends its goroutine with runtime.Goexit. What says nothing about the service counts
// for nothing:
//   - a call whose context was cancelled by the caller, or that another policy refused,
//     be it further in or within the function: that was on this side;
//   - an error of a call whose own deadline has passed, if that left the service less
//     time than it usually takes: five impatient callers don't open it for everybody.
//     What it usually takes is a mean of the successes of late. As long as there was
//     none, running out of time is a failure;
//   - an error that Policy.IsNeutral takes for none of the service's;
//   - what comes of a call that began before the latest change of state: a late
//     success from before an outage says nothing about its end.
//
// A probe that doesn't come back loses its place after Policy.ProbeTimeout, so that
// a breaker can't be stuck half-open.
//
// # By hand
//
// [Breaker.Isolate] opens a breaker until [Breaker.Reset] closes it: for a service that
// is known to be down, or is to be left alone. [Breaker.Bypass] has all calls pass until
// then, whatever comes of them.
//
// # Cost
//
// A call through a closed breaker costs some 10 ns, without allocation and without
// a shared write. With rates, or a context that has a deadline, it reads the clock:
// some 35 ns each time, twice with a deadline or slow calls. A lock is taken for what
// is no success, and for the first success after.
package circuitbreaker
