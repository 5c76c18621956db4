// Package remote runs a function over many items beyond one process: on any number of machines, and so that a run
// outlives all of them. What claims, locks, schedules, pauses and elects is River (riverqueue.com), over a SQLite
// file or a PostgreSQL. What is here is what River has not: chunks by what items cost, results once each and in
// order, items that failed, a limit that all machines share, and workers that die noticed within seconds.
//
//	var geocode = remote.RegisterContext("geocode", lookup)              // in the program that works
//
//	cluster, err := remote.Open(ctx, "sqlite:runs.db")                   // or "postgres://…"
//	run, err := geocode.Submit(ctx, cluster, items, remote.RunID("26/11")) // goes on where it was
//	for r := range run.Results(ctx) { … }                                // in order, as they come
//
//	err = remote.Work(ctx, cluster)                                      // any number of processes
//
// # Which
//
//   - [Register], [RegisterContext], [RegisterEach], [RegisterBatches] and [RegisterCodec] make a function known, with its policies.
//   - [Func.Submit] writes items down; [Func.Attach] and [Cluster.Run] find a run from any process.
//   - [Work] works; [Func.Execute] submits, works along and gathers, as the in-process call.
//   - [Run.Results], [Run.ResultsFrom], [Run.Unordered] and [Handle.RawResults] yield what became of items;
//     [Handle.Wait] waits for all of it.
//   - [Handle.Failures] lists items that failed, [Handle.RetryFailed] has them run again.
//   - [Handle.Pause], [Handle.Resume], [Handle.Cancel] and [Handle.Remove] do that; [Cluster.Prune] removes old runs.
//   - [Limiter] and [Breaker] are policies that all processes share.
//   - [Cluster.Runs], [Cluster.Workers] and [Cluster.Doctor] look; [Migrate] brings tables to this version.
//
// # What is promised
//
// Every item of a run has one outcome, a result or a failure, and results come once each and in order, whatever
// dies: chunks, their jobs and the cursor of the submission are one transaction, and so are the results of a chunk
// and its end. A worker that was considered dead and was not has its results refused.
//
// A function may be called more than once for an item: by the policies it was registered with, and after a worker
// died, for those of its items whose results were not written. An item that ends the process that works it, twice,
// is found by halving its chunk in quarantine, and fails; its neighbours do not.
//
// Payloads are data: a worker runs only what its own program registered.
//
// docs/remote.md has the guarantees with their limits, the sizes, the costs and how to operate it.
package remote
