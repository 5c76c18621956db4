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
// ends its goroutine with runtime.Goexit. One whose context was cancelled by the
// caller, or that an inner policy refused before it was made, counts for nothing.
// Neither does the outcome of a call that began before the latest change of state:
// a late success from before an outage says nothing about its end.
//
// A probe that doesn't come back loses its place after Policy.ProbeTimeout, so that
// a breaker can't be stuck half-open.
//
// # Cost
//
// A call through a closed breaker costs some 10 ns, without allocation and without
// a shared write; with rates, which need the clock and a lock, some 100 ns more.
package circuitbreaker
