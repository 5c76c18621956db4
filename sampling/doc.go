// Package sampling measures: the first items of a workload, and the host.
//
// A [Sampler] paces the first items of a run. It decides how many to run
// before the next look at the clock, stops as soon as enough is known, and
// answers with a [Sample]: what an item costs, how much that varies, which
// share of it is computing and which is waiting, and how much it allocates.
// The items it paces are items of the run; nothing is run to be measured and
// then thrown away.
//
// A [Host] is what the machine offers: cores, GOMAXPROCS, the CPU quota and the
// memory limit of its cgroup, memory, load. It is read once per process, when
// it is first needed, because reading it costs about a millisecond.
//
// Whatever cannot be read is unknown, never a failure and never a guess.
package sampling
