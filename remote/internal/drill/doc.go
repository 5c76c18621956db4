// Command drill runs a program that works, again and again killed, and counts what became of its items.
//
//	drill -on URL -n 1000000 -workers 3 -kills 50
//
// It starts workers and a coordinator, which submits items and writes their results to a file in order, and kills
// one of them at random, again and again, and starts it anew. In the end the file must have every result, once. For
// each worker that was killed it measures how long it took until its chunks were given to others.
//
// It needs signals: elsewhere it is empty.
package main
