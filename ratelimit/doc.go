// Package ratelimit keeps calls within the rate that a service allows.
//
//	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5})
//	err := limiter.Do(ctx, call)
//
// A [Limiter] is a token bucket: tokens come at a rate, as many as a burst can be
// there at most, and each call takes one. For a rate of 10 per second, a burst of
// 3 and seven calls at once:
//
//	calls    ●●●●●●●
//	granted  ●●●    ●      ●      ●      ●
//	time     0      0.1    0.2    0.3    0.4 s
//
// # What is promised
//
// In every window of time w, no more than burst + rate·w tokens are granted, by
// the instants at which they were due: exactly, whatever calls interleave, and
// without drift, since instants and costs are whole numbers (the generic cell
// rate algorithm, in 128 bits where needed). Only tokens that are given back by hand come on
// top of that, as they are granted again: those who wait get at most a bucket of them
// at once, and more only as fast as the rate. See [Limiter.Return], and
// [Limiter.ReturnAfter], which keeps the bound.
//
// A timer wakes up late, by a millisecond or so, and on a busy machine by more. At
// 10 000 per second ten tokens fall due in a millisecond, which a bucket of 1 could not
// hold; so that the rate isn't missed, they may be had for as long again. As a clock sees
// it, no more than burst + rate·(w + credit) tokens are granted in a window. The credit
// is the time in which 200 tokens come, but no less than 2 ms and no more than 20 ms: so
// it is 20 ms up to 10 000 per second, and 2 ms from 100 000 on. What falls due while
// nobody wakes up for longer than that is lost. The place of a [Reservation] is not: its
// holder needs no wake-up.
//
// From 100 000 per second on, those who wait are served some 300 µs' worth at a time.
//
// Calls that wait are served first come, first served. One that is cancelled
// takes nothing and those behind it move up at once; a change of the rate plans
// everybody anew; a call that can't be served before its deadline fails at once.
//
// # Which
//
//   - [Limiter] for one limit; [All] for several at once.
//   - [Keyed] for one per host, tenant or API key; a policy by amorsize.ByKey.
//   - [Limiter.Do] is a policy for amorsize.WithPolicies; [Wrap] wraps a function.
//   - [Limiter.DoCost] if what a call takes is known only afterwards; amorsize.Cost.
//   - [Limiter.Acquire], [Limiter.TryAcquire] and [Limiter.Reserve] by hand.
//   - [Adapt] if the limit is not known.
package ratelimit
