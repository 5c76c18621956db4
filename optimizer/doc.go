// Package optimizer turns measurements into a plan: how many workers, how many
// items each claims at a time, and why.
//
// It is pure. [New] maps (Sample, Host, Constraints) to a [Plan] and reads
// neither clock nor machine, so a plan can be made, saved, explained and tested
// anywhere. The worker count is searched, not assumed: every candidate's
// makespan is predicted by a [Model] (overheads, Amdahl's law extended by the
// universal scalability law, variation), after memory and the caller's wishes
// have narrowed the field.
//
// A plan is where a run starts. The engine goes on measuring and changes its
// mind when the work turns out different; the report of the run says so.
package optimizer
