// Package retry makes a call again that failed for the time being.
//
//	retrier := retry.MustNew(retry.Policy{MaxRetries: 5, AttemptTimeout: 10 * time.Second})
//	err := retrier.Do(ctx, call)
//
// The delays grow exponentially, with jitter, up to a cap that none exceeds:
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
// the delay is at least that. If it is longer than Policy.MaxDelay, there is no
// other attempt: the error is [ErrMaxDelay] and carries the time.
//
// A call that a policy of the same chain refused was never made: a circuit breaker
// further in is open, or a limit rejects. The retrier waits until it may be made, which
// is no retry and uses none up. It gives up if that is longer than Policy.MaxDelay or
// never (the largest duration), or if the call has been refused 100 times in a row: each
// of these waits is at least as long as the delay of the retry with that number, so they
// soon are MaxDelay.
// Links of a chain are the policies of amorsize.WithPolicies, of a transport, and
// decorators directly around decorators: retry.Wrap(r, ratelimit.Wrap(l, fn)).
//
// What a policy refused within the function is a failed attempt like any other: the
// function has run, and may have done something before. So is what a function passed to
// [Retrier.Do] by hand returns. The next delay is at least what the refusal says. An
// error type of the function's own that has a method Refused() time.Duration is its
// word that nothing was done.
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
