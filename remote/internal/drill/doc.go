// Command drill runs worker programs, kills them again and again, and counts the outcomes of their items.
//
//	drill -on URL -n 1000000 -workers 3 -kills 50
//
// It starts workers and a coordinator, which submits items and writes their results to a file in order. Again and
// again it kills one of them at random, and restarts it. At the end the file must have every result, once. For
// each killed worker it measures how long it took until its chunks were given to others.
//
// It needs signals: elsewhere it is empty.
package main
