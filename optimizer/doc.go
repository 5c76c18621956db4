// Package optimizer turns measurements into a plan: how many workers, how many
// items each claims at a time, and why.
//
// It is pure: [New] maps (Sample, Host, Constraints) to a [Plan] and reads neither clock
// nor machine, so a plan can be made, saved, explained and tested anywhere. The worker
// count is searched, not assumed: a [Model] predicts every candidate's makespan
// (overheads, Amdahl's law extended by the universal scalability law, variation), within
// the limits of memory and the caller's constraints.
//
// A plan is the start of a run. The engine keeps measuring and adapts if the work turns
// out different; the report of the run says so.
package optimizer
