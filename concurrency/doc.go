// Package concurrency limits how many calls to a service are in flight, and finds the right
// number.
//
//	limiter := concurrency.MustNew(concurrency.Policy{MaxWait: time.Second})
//	err := limiter.Do(ctx, call)
//
// With too few calls in flight the service idles; with too many they queue at the service, take
// longer, and some are refused. The right number depends on the service, and changes. A
// [Limiter] measures it: as long as more concurrent calls don't raise the latency, it allows
// more. When calls begin to queue, it moves to the number for which Little's law says that no
// queue forms (throughput × latency without load), and keeps probing. Losses cap it.
// docs/adaptive-concurrency.md explains how, with plots; amorsize.Execute does the same for its
// own calls.
//
// It is for your own goroutines: a server that protects its backend, a client library, an
// errgroup.
//
//	          Limit             a permit is returned
//	calls ──► in flight ──────────────────────────────► answered, lost, neither
//	   │         ▲
//	   │ full    │ first come, first served
//	   ▼         │
//	 Reject    line: MaxWaiting, MaxWait
//
// # What counts
//
// The latency of answered calls counts, and so does every lost call: a status 429, 502, 503,
// 504 or 529 (an error with a method StatusCode() int or HTTPStatusCode() int), a timeout, a
// refused or broken connection, an error with a method RetryAfter() time.Duration, SQLSTATE
// class 53; or an error for which Policy.IsOverload is true. The latency of any other failure
// is ignored. So is a call that another policy refused, that was cancelled, panicked or ended
// its goroutine, or whose own deadline left it less time than calls usually take.
//
// A limit that does not bind stays as it is: if on average at most four fifths of it are in
// flight, calls show the latency, but not how many calls are too many.
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
// A call that need not wait costs some 150 ns: two readings of the clock, two locks, and an
// evaluation of its latency. It allocates nothing. Once per round of calls one of them takes
// longer, in proportion to the calls in flight.
package concurrency
