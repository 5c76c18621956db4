// Command benchmarks compares amorsize with hand-written loops and with its
// peers, in one process, and prints tables of ratios in markdown.
//
//	go run -C benchmarks . -suite cpu,small,skew,contention,io,memory,policies,limits,service,command
//
// It is a module of its own, so that the peers are no dependency of the library.
// Every figure is a median of interleaved repetitions. Ratios can be compared from
// machine to machine, times can't.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// suite is a group of measurements with a table of its own.
type suite struct {
	name string
	run  func(options)
}

var suites = []suite{
	{"cpu", cpuSuite},
	{"small", smallSuite},
	{"skew", skewSuite},
	{"contention", contentionSuite},
	{"io", ioSuite},
	{"memory", memorySuite},
	{"policies", policiesSuite},
	{"limits", limitsSuite},
	{"service", serviceSuite},
	{"command", commandSuite},
}

type options struct {
	reps  int  // repetitions of each measurement
	peers bool // measure the peers as well
}

func main() {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	chosen := flag.String("suite", strings.Join(names, ","), "suites to run, separated by commas")
	reps := flag.Int("reps", 7, "repetitions of each measurement; medians are printed")
	peers := flag.Bool("peers", true, "measure the peers as well")
	flag.Parse()

	fmt.Printf("# Benchmarks\n\n%s %s/%s, GOMAXPROCS %d, medians of %d interleaved runs\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), *reps)
	for name := range strings.SplitSeq(*chosen, ",") {
		at := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if at < 0 {
			fmt.Fprintf(os.Stderr, "benchmarks: no suite %q; there are %s\n", name, strings.Join(names, ", "))
			os.Exit(2)
		}
		suites[at].run(options{reps: *reps, peers: *peers})
	}
}
