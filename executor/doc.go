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
// An item passes through these hands:
//
//	source      it is there, or arrives; a worker claims it, with others
//	work        the worker, until there is nothing left for it, or it is one too many
//	calls       the function, through the policies, or as part of a batch
//	outcome     if it failed
//	results     in its place; of a stream, handed over to the loop, in order
//
// How many workers there are is looked at in reviews, one at a time, after claims and,
// where all calls take long, by a supervisor:
//
//	pacer       it is time
//	room        memory allows so many
//	law         internal/hillclimb for calls that compute; for calls that wait,
//	            internal/adaptive, by way of a tracker that other runs may share
//	crew        that many: helpers are started, or leave after their claims
//	record      what was decided, for the report; planner: what it will take
//
// # Parts
//
// Each has one owner of its state, and refers to those below it only, which CI checks
// (scripts/arrows). What a part needs of one above is an interface that it declares.
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
//	telling    listeners, teller, ending, backlog, trouble, logging
//	context    run_context
//	config     config, timeout, function, itempolicy, itemcost, keeper, labels, watch
//	session    session
//	tally      tally
//	public     report, reportjson, html, moment, explain, advice, progress, events, hooks, errors, span
//
// Below them are packages of their own, which know nothing of a run: internal/source
// (what is left to run), internal/sizing (how many items at a time), internal/flight
// (calls in flight, and the limit that runs share).
package executor
