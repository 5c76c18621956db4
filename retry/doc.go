// Package retry repeats calls that failed temporarily.
//
//	retrier := retry.MustNew(retry.Policy{MaxRetries: 5, AttemptTimeout: 10 * time.Second})
//	err := retrier.Do(ctx, call)
//
// The delays grow exponentially, with jitter, up to a cap that no delay exceeds:
//
//	call ✗ ─ 100 ms ─ call ✗ ─ 200 ms ─ call ✗ ─ 400 ms ─ call ✓
//
// # What is not retried
//
// An error marked with [Permanent], or one that Policy.RetryIf declines. Any error after
// the caller's own context has ended. If a delay would end after the context's deadline,
// the call fails at once instead.
//
// # What other errors say
//
// An error with a method RetryAfter() time.Duration is an answer of the service: the
// delay is at least that. If it is longer than Policy.MaxDelay, there is no further
// attempt: the error is [ErrMaxDelay] and has the time.
//
// A call that a policy of the same chain refused was never made: an inner circuit breaker
// is open, or a limit rejects. The retrier waits until the call may be made; that does
// not count as a retry. It gives up if that is longer than Policy.MaxDelay or never (the
// largest duration), or if the call has been refused 100 times in a row. Each of these
// waits is at least as long as the delay of the retry with that number, so they soon
// reach MaxDelay. Links of a chain are the policies of amorsize.WithPolicies, of a
// transport, and decorators directly around decorators: retry.Wrap(r, ratelimit.Wrap(l,
// fn)).
//
// A refusal by a policy inside the function is a failed attempt like any other: the
// function has run, and may have done something before. The same holds for a function
// passed to [Retrier.Do] by hand. The next delay is at least what the refusal says. If
// the function returns an error of its own type with a method Refused() time.Duration, it
// declares that nothing was done.
//
// # Retries against an outage
//
// When a service is down, retries multiply the load on it. A [Budget], shared by all
// calls, limits them to a fraction of the successes.
//
// # Cost
//
// A call that succeeds at once costs some 10 ns and no allocation, 100 ns more
// with a Budget, and a timer with AttemptTimeout.
package retry
