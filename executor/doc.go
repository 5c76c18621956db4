// Package executor is the engine: it runs a function over items, each exactly
// once, keeps the results in order, and finds how many calls to run at a time
// by measuring while it runs.
//
// # A run
//
// The caller's goroutine runs the first items itself while a
// [sampling.Sampler] watches. Small inputs end there and cost what the plain
// loop costs. Otherwise the optimizer makes a plan, helpers are started, and
// the caller goes on working: nobody waits for a helper to wake up.
//
// Workers claim ranges of items from a shared counter: large ranges first,
// smaller ones towards the end, none longer than a target time, each worker
// judging by what its own latest items cost (guided self-scheduling;
// Polychronopoulos and Kuck, IEEE Trans. Computers, 1987). A range that turns
// out much slower than foreseen is cut, and its rest handed back.
//
// A controller compares what more and fewer workers achieve and keeps the
// number that pays: never more than the cores for calls that compute, more for
// calls that wait, one where a shared lock or the memory bus makes company useless.
//
// # What is where
//
//   - run: [Run], [RunBatches] and [Measure], the entries; config: their settings.
//   - opening: the caller alone; alarm: what ends that. pool: a run with several
//     workers, from its making to its end. staff: the workers that come and go; only
//     enter and exit change whether one works. work: what each of them does with its
//     claims, and what becomes of failures.
//   - context: what calls are given, by which policies tell that they hold one back.
//     held: how many workers that takes. shared: the runs of one function that share
//     a limit. turns: the line of runs that do.
//   - stream: [Stream], a run whose items arrive while it goes on. ring, feed: the
//     items until they are claimed. streaming, handover, delivery: from a claim to
//     the loop. feeding: where the engine differs for a stream.
//   - claims: who runs which items. sizing, batch, costmodel: how many at a time.
//     calls, guarded, batches: the function itself, by item, through policies, by batch.
//   - review: how many run at once, as internal/hillclimb decides, or internal/adaptive
//     by way of the gate. look: computing or waiting. memory, bound: how many fit.
//   - finish: the outcome. [Report]: what happened. forecast: what it will take.
//   - [Event], listeners: what is happening, and who is told. backlog, teller: when.
//   - timeout: a bound on each call.
package executor
