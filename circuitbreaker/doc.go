// Package circuitbreaker stops calls to a service that is down, and detects when it is
// back.
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
// When closed, calls pass and their outcomes are counted. When open, no call passes. When
// half-open, a few calls pass as probes, at most Policy.HalfOpenProbes at a time.
//
// # Reject or wait
//
// While open, calls fail at once ([Reject], the default), which suits a server that must
// answer, or wait until they may pass ([Wait]), which suits a batch job: an outage then
// pauses the run, while rejecting would fail all remaining items within a second. Calls that
// fail before it opens, and probes that fail, still fail: a retrier outside the breaker, with
// more retries than an outage has probes, makes them again.
//
// # What counts
//
// A call fails if it returns an error that Policy.IsFailure classifies as a failure,
// panics, or ends its goroutine with runtime.Goexit. Outcomes that say nothing about the
// service don't count:
//   - a call whose context was cancelled by the caller, or that another policy refused,
//     in the chain or inside the function: the cause was on the caller's side;
//   - an error of a call whose own deadline has passed, if that left the service less
//     time than it usually takes: five impatient callers don't open the breaker for
//     everyone. The usual time is a mean of recent successes. As long as there was no
//     success, running out of time is a failure;
//   - an error that Policy.IsNeutral says is not the service's;
//   - the outcome of a call that began before the latest change of state: a late success
//     from before an outage does not mean that it has ended.
//
// A probe that doesn't come back loses its place after Policy.ProbeTimeout, so that
// a breaker can't be stuck half-open.
//
// # By hand
//
// [Breaker.Isolate] opens a breaker until [Breaker.Reset] closes it: for a service that
// is known to be down, or must not be called. [Breaker.Bypass] lets all calls pass until
// then, whatever their outcomes.
//
// # Cost
//
// A call through a closed breaker costs some 10 ns, without allocation and without a
// shared write. With rates, or a context that has a deadline, it reads the clock: some 35
// ns each time, twice with a deadline or slow calls. A lock is taken for every outcome
// other than a success, and for the first success after it.
package circuitbreaker
