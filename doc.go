// Package amorsize runs a function over many items at the right concurrency,
// measured instead of guessed.
//
//	lengths, err := amorsize.Execute(measure, files)
//
// Each item is run exactly once and results come back in order. The first items are run and
// measured in the caller's goroutine; if there is not enough work for a second worker to help, the
// same loop runs the rest, as fast as a plain loop. Otherwise workers are added while throughput
// rises, which is measured until the last item is done.
//
//	items ──► sample ──► plan ──► workers ⇄ measure ──► results
//	          (they count)        (policies guard each call)
//
// # Which function
//
//   - [Execute] for a function of an item, [ExecuteContext] if it takes a context.
//   - [ForEach] for a function that returns only an error.
//   - [ExecuteBatches] for a function that takes many items at once, such as a bulk insert or a
//     bulk API.
//   - [Stream] for items that keep coming, [StreamSeq2] for an input that can fail, such as
//     [Lines], [Channel], [Map] and [Batched].
//   - [Crawl] for items that the function finds itself, such as links and directories.
//   - [Optimize] for the plan without the run.
//
// Packages ratelimit, retry and circuitbreaker are policies for [WithPolicies], and can be used
// alone; package transport puts all three under an http.Client. [ByKey] uses a limiter or a breaker
// for each host or tenant, [Cost] limits what calls actually cost.
//
// With [WithJournal] a run resumes where an earlier one stopped, after a crash for example.
//
// # What is promised
//
// Every item runs exactly once (only a retry policy repeats calls). out[i] belongs to items[i].
// After the first failure no new item starts, unless [WithErrors] ([Collect]) says so, and the
// results so far are returned with the error. When a call returns, none of the caller's functions
// is running and no goroutine is left. A panic in the function stops the rest and panics again in
// the caller, as a [*PanicError] with the item's index and the original stack. [runtime.Goexit] in
// the function, which t.FailNow calls, is the error of its item: [ErrGoexit]. The exception is the
// caller's own goroutine, which runs items of [Execute] too: there Goexit ends that goroutine, as
// in any function, once everything has stopped. A [Stream] runs no item in the caller's goroutine.
//
// # What it costs
//
// A run costs some 0.5 µs for small inputs (5 to 20 µs in a process that was idle, up to 80 µs if
// other work has evicted it from the CPU caches), and 6 to 25 µs more with a report, progress, a
// logger or an observer. An item costs 1 to 2 ns. A stream costs 10 to 20 µs, and some 50 ns of CPU
// time per item. Nothing is allocated per item.
//
// The command in benchmarks measures these, and docs/benchmarks.md has its tables.
//
// # Fields and methods
//
// [Report], [Progress], [Event], [ItemError] and [Errors] are declared in package executor, [Plan],
// [Constraints] and [Limit] in package optimizer, [Sample] and [Host] in package sampling. All
// fields and methods are listed there. In a terminal:
//
//	go doc github.com/amorsize/amorsize/executor.Report
package amorsize
