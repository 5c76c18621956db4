// Command benchmarks measures remote runs: where there are signals.
package main
