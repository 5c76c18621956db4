// Package amorsize runs a function over many items at the right concurrency,
// measured instead of guessed.
//
//	lengths, err := amorsize.Execute(measure, files)
//
// Each item is run exactly once and results come back in order. The first items
// are run and measured in the caller's goroutine; if there is not enough work for a
// second worker to help, the rest follows in the same loop, at the loop's speed.
// Otherwise workers are added while throughput rises, and that is measured again
// until the last item is done.
//
//	items ──► sample ──► plan ──► workers ⇄ measure ──► results
//	          (they count)        (policies guard each call)
//
// # Which function
//
//   - [Execute] for a function of an item, [ExecuteContext] if it takes a context.
//   - [ForEach] for a function that returns only an error.
//   - [ExecuteBatches] for a function that takes many items at once, as bulk
//     inserts and bulk interfaces do.
//   - [Stream] for items that keep coming, [StreamSeq2] for an input that can fail,
//     as [Lines], [Channel], [Map] and [Batched] are.
//   - [Crawl] for items that the function finds itself, as links and directories.
//   - [Optimize] for the plan without the run.
//
// Packages ratelimit, retry and circuitbreaker are policies for [WithPolicies], and
// stand alone; package transport puts all three under an http.Client. [ByKey] has a limiter
// or a breaker for each host or tenant, [Cost] a limiter of what calls turn out to cost.
//
// With [WithJournal] a run goes on where an earlier one was ended, by a crash for example.
//
// # What is promised
//
// Every item runs exactly once (retries are a policy's). out[i] belongs to
// items[i]. After the first failure no new item starts, unless [WithErrors]
// ([Collect]) says so, and the results so far are returned with the error. When
// a call returns, nothing of the caller's is running and no goroutine is left.
// A panic in the function stops the rest and panics again in the caller, as a
// [*PanicError] with the item's index and the original stack. [runtime.Goexit] in
// the function, as by t.FailNow, is the error of its item, [ErrGoexit], unless it
// is called in the caller's own goroutine, which runs items of [Execute] too: there
// it ends that goroutine, as in any function that the caller calls, once everything
// has stopped. A [Stream] runs no item in the caller's goroutine.
//
// # What it costs
//
// Some 0.5 µs a run for small inputs (5 to 20 µs in a process that was idle, up to 80 µs
// where other work has driven it from the caches), and 6 to 25 µs more if it is watched (a
// report, progress, a logger, an observer); 1 to 2 ns an item. A stream costs 10 to 20 µs
// and some 50 ns of CPU time an item. No allocation per item.
//
// The command in benchmarks measures these, and docs/benchmarks.md has its tables.
//
// # Fields and methods
//
// [Report], [Progress], [Event], [ItemError] and [Errors] are declared in package executor, [Plan],
// [Constraints] and [Limit] in package optimizer, [Sample] and [Host] in package sampling. All
// fields and methods are listed there, in a terminal by
//
//	go doc github.com/amorsize/amorsize/executor.Report
package amorsize
