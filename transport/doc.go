// Package transport is an [http.RoundTripper] that keeps to limits, retries, and
// stops calling hosts that are down.
//
//	client := &http.Client{Transport: transport.MustNew(transport.Config{
//		PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 2}, 0),
//		Retrier: retry.MustNew(retry.Policy{AttemptTimeout: 10 * time.Second}),
//		Breaker: &circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait},
//	})}
//
// Each attempt passes the host's breaker and then takes its tokens, so that retries
// are under the limits, too.
//
// # What a response means
//
//	status                    retried           breaker   limiter
//	1xx 2xx 3xx, other 4xx    no                success   —
//	408, 425                  if idempotent     success   —
//	429                       always            success   pauses for Retry-After, or slows down
//	500, 502, 504             if idempotent     failure   —
//	503                       if idempotent, *  failure   pauses for Retry-After, or slows down
//	501, other 5xx            no                failure   —
//	no response               if idempotent     failure   —
//	the caller cancelled      no                neutral   —
//
// GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC 9110, 9.2.2), and so
// is a request with a header Idempotency-Key. A 503 with Retry-After (*) is retried
// for any method: the service has not begun. A request whose body can't be had again
// (Body without GetBody) is not retried.
//
// When retries are used up, the caller gets the response of the last attempt, with its
// body: as without this package, a status is no error. If that attempt got none, there
// is an error.
//
// # What headers mean
//
// The Retry-After of a 429 or 503, in seconds or as a date, holds back everybody who
// uses that limiter.
// RateLimit (draft-ietf-httpapi-ratelimit-headers), RateLimit-Remaining and -Reset
// (its earlier form), and X-RateLimit-Remaining and -Reset, with the reset in
// seconds from now or since 1970, tell the limiter how many requests are left: at 0
// it pauses until the reset. Dates are taken relative to the response's own Date, so
// a clock that is wrong here or there doesn't matter.
package transport
