// Package transport is an [http.RoundTripper] that respects limits, retries, and stops
// calling hosts that are down.
//
//	client := &http.Client{Transport: transport.MustNew(transport.Config{
//		PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 2}, 0),
//		Retrier: retry.MustNew(retry.Policy{AttemptTimeout: 10 * time.Second}),
//		Breaker: &circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait},
//	})}
//
// Each attempt passes the host's breaker, takes its tokens, and waits until the host has
// room for it (Config.Concurrency), so that retries are under the limits, too.
//
// A server protects itself with [Handler].
//
// # Slow answers
//
// With Config.Hedge, a request that takes longer than most is sent a second time, and the
// first answer wins. In simulation, where one answer in 67 takes 20 times as long as the
// others, the 99th percentile falls from 20 times the median to 2.1 times, for 1.4 % more
// requests.
//
// # What a response means
//
//	status                    retried           breaker   limiter
//	1xx 2xx 3xx, other 4xx    no                success   —
//	408, 425                  if idempotent     success   —
//	429, 403 **               always            success   pauses for Retry-After, or slows down
//	500, 502, 504             if idempotent     failure   —
//	503, 529 (overloaded)     if idempotent, *  failure   pauses for Retry-After, or slows down
//	501, other 5xx            no                failure   —
//	no response               if idempotent     failure   —
//	no connection             always            failure   —
//	the caller cancelled ***  no                neutral   —
//	not sendable              no                neutral   no token
//
// GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC 9110, 9.2.2), and so is a
// request with a header Idempotency-Key, also without a value, which net/http doesn't send.
// A 503 or 529 with Retry-After (*) is retried for any method: the service has not begun. A
// 403 is a 429 if it has a Retry-After or says that no requests are left (**), as that of
// GitHub does. A caller's own deadline (***) counts as a cancellation if it gave the host
// less time than that usually takes; see circuitbreaker. A request is not sendable if
// net/http would never send it (another scheme, an invalid header, no host), if its own body
// can't be read, or if the host's certificate isn't trusted. A request whose body can't be
// sent again (Body without GetBody) is not retried.
//
// If a host sends x-should-retry, that decides whether to try again. Config.Judge may
// override the table for any response: a 404 may be worth another try, or a body may name
// the delay ([JSONDelay]). [Usual] is the table. [Check] turns its verdict into an error,
// for policies around a plain client.
//
// All spellings of a host count as one host: see [Host].
//
// When retries are used up, the caller gets the response of the last attempt, with its body:
// as without this package, a status is not an error. If that attempt got no response, there
// is an error. The caller gets the header at once, even if the body stalls. If a host asks
// for more than the retrier's MaxDelay, there is no retry: the caller gets that response.
//
// # What headers mean
//
// The Retry-After of a 429, 403, 503 or 529, in seconds, as a date, in any of the forms in
// which hosts write one, or as a duration ("30s"), pauses every caller that uses that
// limiter; so does retry-after-ms, which takes precedence. A zone that isn't known by its
// name is taken for UTC.
//
// Headers with the number of requests left, and the time until there are more, go to the
// host's limiter: at 0 it pauses until then, and so does the request itself if it was
// rejected. The number of a model's tokens left goes to Config.Tokens.
//
//	RateLimit: "day";r=9;t=60               draft-ietf-httpapi-ratelimit-headers-07 and later
//	RateLimit: remaining=9, reset=60        the same, -03 to -06
//	RateLimit-Remaining, -Reset             the same, -00 to -02
//	X-RateLimit-, X-Rate-Limit-             Remaining with Reset or Reset-After
//	X-RateLimit-Remaining-Requests, -Tokens OpenAI, Groq, Mistral
//	X-RateLimit-Requests-Remaining          RapidAPI
//	Anthropic-Ratelimit-Requests-, -Tokens-, -Input-Tokens-, -Output-Tokens-
//	X-Shopify-Shop-Api-Call-Limit: 40/40    a bucket that empties in 20 s
//
// A reset is seconds from now or since 1970, milliseconds since 1970, a duration ("6m0s") or
// a date; whole or not. Dates are taken relative to the response's own Date, so a wrong
// clock on either side doesn't matter. Of several quotas, the one with least left counts. A
// value that is negative, not a number, or above ten years is ignored, and counted
// ([Transport.Nonsense]). If nothing is left and the host doesn't say until when, nothing is
// waited for.
package transport
