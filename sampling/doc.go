// Package sampling measures: the first items of a workload, and the host.
//
// A [Sampler] paces the first items of a run. It decides how many to run before the next
// reading of the clock, stops as soon as enough is known, and returns a [Sample]: what an
// item costs, how much that varies, how much of it is computing and how much waiting, and
// how much it allocates. The sampled items are items of the run; nothing is run only for
// measuring.
//
// A [Host] is what the machine offers: cores, GOMAXPROCS, the CPU quota and the
// memory limit of its cgroup, memory, load. It is read once per process, when
// it is first needed, because reading it costs about a millisecond.
//
// A fact that cannot be read is unknown; it is never a failure and never guessed.
package sampling
