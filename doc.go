// Package amorsize runs a function over many items at the right concurrency,
// measured instead of guessed.
//
//	lengths, err := amorsize.Execute(measure, files)
//
// Each item is run exactly once and results come back in order. The first items
// are run and measured in the caller's goroutine; if there is too little work to
// gain from company, the rest follows in the same loop, at the loop's speed.
// Otherwise as many workers join in as the machine, the work and the service
// behind it reward, and that is measured again until the last item is done.
//
//	items ──► sample ──► plan ──► workers ⇄ measure ──► results
//	          (they count)        (policies guard each call)
//
// # Which function
//
//   - [Execute] for a function of an item, [ExecuteContext] if it takes a context.
//   - [ExecuteBatches] for a function that takes many items at once, as bulk
//     inserts and bulk interfaces do.
//   - [Optimize] for the plan without the run.
//
// Packages ratelimit, retry and circuitbreaker are policies for [WithPolicies], and
// stand alone; package transport puts all three under an http.Client.
//
// # What is promised
//
// Every item runs exactly once (retries are a policy's). out[i] belongs to
// items[i]. After the first failure no new item starts, unless [WithErrors]
// ([Collect]) says so, and the results so far are returned with the error. When
// a call returns, nothing of the caller's is running and no goroutine is left.
// A panic in the function stops the rest and panics again in the caller, as a
// [*PanicError] with the item's index and the original stack.
//
// # What it costs
//
// 0.2 to 0.7 µs a run for small inputs, some 5 µs more if it is watched (a report,
// progress, a logger, an observer); 1 to 2 ns an item. No allocation per item.
package amorsize
