// Package retry makes a call again that failed for the time being.
//
//	retrier := retry.MustNew(retry.Policy{MaxRetries: 5, AttemptTimeout: 10 * time.Second})
//	err := retrier.Do(ctx, call)
//
// The delays grow exponentially, with jitter, up to a cap that nothing exceeds:
//
//	call ✗ ─ 100 ms ─ call ✗ ─ 200 ms ─ call ✗ ─ 400 ms ─ call ✓
//
// # What is not retried
//
// An error marked with [Permanent], or one that Policy.RetryIf declines. Whatever
// a call returned after the caller's own context had ended. A delay that would
// end after the context's deadline isn't begun: the call fails at once.
//
// # What other errors say
//
// An error with a method RetryAfter() time.Duration is an answer of the service:
// the delay is at least that, within the cap. An error with a method Refused()
// time.Duration says that the call was never made, because a circuit breaker is
// open or a limit rejects: the retrier waits until it may be, which is no retry and
// uses none up, or gives up if that is longer than Policy.MaxDelay.
//
// # Retries against an outage
//
// When a service is down, retries multiply the load on it. A [Budget], shared by
// all calls, bounds them to a share of what succeeds.
//
// # Cost
//
// A call that succeeds at once costs some 10 ns and no allocation, 100 ns more
// with a Budget, and a timer with AttemptTimeout.
package retry
