// Package remote runs a function over many items beyond one process: on any number of machines, and a run outlives
// all of them. River (riverqueue.com) claims, locks, schedules, pauses and elects, over a SQLite file or a
// PostgreSQL. This package adds what River lacks: chunks sized by the cost of items, results once each and in
// order, failed items, a limit that all machines share, and detection of dead workers within seconds.
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
//   - [Func.Submit] stores items; [Func.Attach] and [Cluster.Run] find a run from any process.
//   - [Work] works; [Func.Execute] submits, also works, and gathers, like the in-process call.
//   - [Run.Results], [Run.ResultsFrom], [Run.Unordered] and [Handle.RawResults] yield the outcomes of items;
//     [Handle.Wait] waits for all of them.
//   - [Handle.Failures] lists items that failed, [Handle.RetryFailed] runs them again.
//   - [Handle.Pause], [Handle.Resume], [Handle.Cancel] and [Handle.Remove] control a run; [Cluster.Prune] removes old runs.
//   - [Limiter] and [Breaker] are policies that all processes share.
//   - [Cluster.Runs], [Cluster.Workers] and [Cluster.Doctor] inspect; [Migrate] brings tables to this version.
//
// # What is promised
//
// Every item of a run has one outcome, a result or a failure, and results come once each and in order, whichever
// process dies. Chunks, their jobs and the cursor of the submission are one transaction. The results of a chunk
// and its end are one transaction, too. If a worker was considered dead but is alive, its results are refused.
//
// A function may be called more than once for an item: by the policies it was registered with, and, if a worker
// died, for the items whose results it had not written. An item that twice ends its worker's process is found by
// halving its chunk in quarantine, and fails; its neighbours do not.
//
// Payloads are data: a worker runs only functions that its own program registered.
//
// docs/remote.md has the guarantees with their limits, the sizes, the costs and how to operate it.
package remote
