// Command benchmarks measures remote runs: beside a program written by hand over River, beside asynq on a Redis, over
// the sizes of chunks, over workers, and how much memory a coordinator takes.
//
//	go run . -postgres URL -redis ADDRESS -suite peers,chunks,workers,memory
//
// What two do is compared within one run of the program, in turns: the median of the ratios, and their range.
//
// It needs signals: elsewhere it is empty.
package main
