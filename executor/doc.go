// Package executor is the engine: it runs a function over items, each exactly
// once, keeps the results in order, and finds how many calls to run at a time
// by measuring while it runs.
//
// # A run
//
// The caller's goroutine runs the first items itself while a [sampling.Sampler] watches.
// Small inputs end there and cost what the plain loop costs. Otherwise the optimizer
// makes a plan, helpers are started, and the caller continues to run items: nothing waits
// for a helper to wake up.
//
// An item passes through these parts:
//
//	source      the item is there, or arrives; a worker claims it, with others
//	work        the worker runs claims until no items are left, or the limit falls
//	calls       the function, through the policies, or as part of a batch
//	outcome     if the item failed
//	results     at the item's index; in a stream, handed over to the loop, in order
//
// Reviews decide how many workers there are. They run one at a time, after claims, and by
// a supervisor if all calls are long:
//
//	pacer       a review is due
//	room        how many calls memory allows
//	law         internal/hillclimb for CPU-bound calls; for I/O-bound calls,
//	            internal/adaptive, by way of a tracker that other runs may share
//	crew        starts helpers, or lets them leave after their claims
//	record      keeps the decision, for the report; planner: predicts the time
//
// # Parts
//
// Each part has one owner of its state, and refers only to parts below it, which CI
// checks (scripts/arrows). If a part needs one above it, it declares an interface.
//
//	stream     stream, streaming, streamfail, streamkeep, handover, delivery, ring
//	entry      execute
//	solo       solo, solo_end, arriving, alarm
//	run        run, work, finish
//	scheduler  scheduler, computing, waits, held, inflight
//	room       room, memory
//	planner    planner, replan, forecast
//	sharing    sharing, registry
//	crew       crew, admission
//	job        job, outcome
//	calls      calls, guarded, kept, batches, batchkeep, lines
//	worker     worker, runner, policed, watched, account, context, cpushare, pacer, epoch
//	record     record, story
//	telling    listeners, pace, teller, ending, backlog, trouble, logging
//	context    run_context
//	config     config, timeout, function, itempolicy, itemcost, keeper, labels, watch
//	session    session
//	tally      tally
//	public     report, reportjson, html, moment, explain, advice, progress, events, hooks, errors, span
//
// Below them are separate packages, which know nothing of a run: internal/source (what is
// left to run), internal/sizing (how many items at a time), internal/flight (calls in
// flight, and the limit that runs share).
package executor
