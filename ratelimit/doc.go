// Package ratelimit keeps calls within the rate that a service allows.
//
//	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5})
//	err := limiter.Do(ctx, call)
//
// A [Limiter] is a token bucket: tokens come at a rate, the bucket holds at most a burst of
// them, and each call takes one. For a rate of 10 per second, a burst of 3 and seven calls
// at once:
//
//	calls    ●●●●●●●
//	granted  ●●●    ●      ●      ●      ●
//	time     0      0.1    0.2    0.3    0.4 s
//
// # What is promised
//
// In every window of time w, no more than burst + rate·w tokens are granted, by the instants
// at which they were due. This is exact for any interleaving of calls, and without drift,
// since instants and costs are whole numbers (the generic cell rate algorithm, GCRA, in 128
// bits where needed). Only tokens that are returned by hand come on top, because they are
// granted again: waiting calls get at most a bucket of them at once, and more only at the
// rate. See [Limiter.Return], and [Limiter.ReturnAfter], which keeps the bound.
//
// A timer fires late, by a millisecond or so, and on a busy machine by more. At 10 000 per
// second ten tokens fall due in a millisecond, which a bucket of 1 could not hold. To reach
// the rate anyway, tokens that fell due while a timer was late may still be taken, up to a
// credit. By the clock, no more than burst + rate·(w + credit) tokens are granted in a
// window. The credit is the time in which 200 tokens come, but at least 2 ms and at most 20
// ms: 20 ms up to 10 000 per second, and 2 ms from 100 000 on. Tokens that fall due during a
// longer stall are lost. A [Reservation] keeps its place: its holder needs no wake-up.
//
// From 100 000 per second on, waiting calls are served in batches of some 300 µs.
//
// Calls that wait are served first come, first served. A cancelled call takes nothing and
// those behind it move up at once. A change of the rate changes all turns at once. A call
// that can't be served before its deadline fails at once.
//
// # Which
//
//   - [Limiter] for one limit; [All] for several at once.
//   - [Keyed] for one per host, tenant or API key; amorsize.ByKey makes it a policy.
//   - [Limiter.Do] is a policy for amorsize.WithPolicies; [Wrap] wraps a function.
//   - [Limiter.DoCost] if the cost of a call is known only afterwards; amorsize.Cost makes
//     it a policy.
//   - [Limiter.Acquire], [Limiter.TryAcquire] and [Limiter.Reserve] by hand.
//   - [Adapt] if the limit is not known.
package ratelimit
