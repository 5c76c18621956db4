// Command benchmarks measures remote runs: against a program written by hand over River, against asynq on a Redis,
// over the sizes of chunks, over workers, and how much memory a coordinator takes.
//
//	go run . -postgres URL -redis ADDRESS -suite peers,chunks,workers,memory
//
// Two programs are compared within one run of this program, in turns: the median of the ratios, and their range.
//
// It needs signals: elsewhere it is empty.
package main
