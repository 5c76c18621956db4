// Package concurrency bounds how many calls of a service are in flight, and finds the
// number that is right.
//
//	limiter := concurrency.MustNew(concurrency.Policy{MaxWait: time.Second})
//	err := limiter.Do(ctx, call)
//
// Too few calls in flight, and the service idles; too many, and they wait in a line at the
// service, where each takes longer and some are refused. The number that is right is the
// service's, and changes. A [Limiter] measures: as long as more calls at once are answered
// as soon as few, it allows more; when they begin to wait for each other, it goes to where
// Little's law says that no line forms (throughput × what a call takes that waits for no
// other one), and keeps asking. Losses cap it. docs/adaptive-concurrency.md tells how, with
// plots; it is what amorsize.Execute does for its own calls.
//
// It is for goroutines of your own: a server that protects what is behind it, a client
// library, an errgroup.
//
//	          Limit             a permit is given back
//	calls ──► in flight ──────────────────────────────► answered, lost, neither
//	   │         ▲
//	   │ full    │ first come, first served
//	   ▼         │
//	 Reject    line: MaxWaiting, MaxWait
//
// # What counts
//
// The time of a call that is answered counts, and so does every call that is lost: by a
// status 429, 502, 503, 504 or 529 (an error with a method StatusCode() int or HTTPStatusCode()
// int), a timeout, a refused or broken connection, an error with a method RetryAfter()
// time.Duration, SQLSTATE class 53; or what Policy.IsOverload takes for one. How long any
// other failure takes says nothing. Nor does a call that another policy refused, that was
// cancelled, panicked or ended its goroutine, or whose own deadline left it less time than
// calls take.
//
// A limit that bounds nothing stays as it is: if no more than four fifths of it are in
// flight on average, calls tell what one takes, and nothing of how many are too many.
//
// # Which
//
//   - [Limiter] for one service; [Keyed] for one per host, tenant or shard.
//   - [Limiter.Do] is a policy for amorsize.WithPolicies, the innermost of several; [Wrap]
//     wraps a function.
//   - [Limiter.Acquire] and [Limiter.TryAcquire] by hand.
//   - transport.Config.Concurrency for an HTTP client, transport.Handler for a server.
//
// # Cost
//
// A call that need not wait takes some 150 ns: two readings of the clock, two locks, and a
// look at how long it took. It allocates nothing. Once in a round of calls one of them takes
// longer, in proportion to the calls in flight.
package concurrency
