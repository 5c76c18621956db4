// Command benchmarks compares amorsize with hand-written loops and with its
// peers, in one process, and prints tables of ratios in markdown.
//
//	go run -C benchmarks .                                       # all suites
//	go run -C benchmarks . -suite cpu,small                      # some of them
//	go run -C benchmarks . -write ../docs/benchmarks.md          # and put their tables into the page
//
// It fails if a figure is beyond what the documentation claims of it.
//
// It is a module of its own, so that the peers are no dependency of the library.
// Every figure is a median of interleaved repetitions. Ratios can be compared from
// machine to machine, times can't.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// suite is a group of measurements with tables of its own.
type suite struct {
	name string
	run  func(options)
}

var suites = []suite{
	{"small", smallSuite},
	{"cpu", cpuSuite},
	{"little", littleSuite},
	{"skew", skewSuite},
	{"contention", contentionSuite},
	{"io", ioSuite},
	{"memory", memorySuite},
	{"stream", streamSuite},
	{"batches", batchesSuite},
	{"sqlite", sqliteSuite},
	{"simulated", simulatedSuite},
	{"concurrency", concurrencySuite},
	{"service", serviceSuite},
	{"policies", policiesSuite},
	{"limits", limitsSuite},
	{"journal", journalSuite},
	{"observed", observedSuite},
	{"command", commandSuite},
}

type options struct {
	*claims
	out   io.Writer // takes the tables
	reps  int       // repetitions of each measurement
	seeds int       // of each simulation
	peers bool      // measure the peers as well
}

func main() {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	chosen := flag.String("suite", strings.Join(names, ","), "suites to run, separated by commas")
	page := flag.String("write", "", "page of the documentation to put the tables into, in the sections of the suites")
	o := options{claims: new(claims)}
	flag.IntVar(&o.reps, "reps", 7, "repetitions of each measurement; medians are printed")
	flag.IntVar(&o.seeds, "seeds", 20, "seeds of each simulated service")
	flag.BoolVar(&o.peers, "peers", true, "measure the peers as well")
	flag.Parse()

	var run []suite
	for name := range strings.SplitSeq(*chosen, ",") {
		at := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if at < 0 {
			fail(2, fmt.Sprintf("no suite %q; there are %s", name, strings.Join(names, ", ")))
		}
		run = append(run, suites[at])
	}
	if *page != "" {
		if err := sections(*page, run); err != nil {
			fail(2, err.Error())
		}
	}
	for _, s := range run {
		text := s.measure(o)
		if *page != "" {
			if err := writeSection(*page, s.name, text); err != nil {
				fail(1, err.Error())
			}
		}
	}
	if len(o.missed) > 0 {
		fail(1, o.missed...)
	}
}

func fail(code int, messages ...string) {
	for _, m := range messages {
		fmt.Fprintln(os.Stderr, "benchmarks:", m)
	}
	os.Exit(code)
}

// measure runs the suite, prints its tables as they come, and returns them.
func (s suite) measure(o options) string {
	var text bytes.Buffer
	o.out = io.MultiWriter(os.Stdout, &text)
	fmt.Printf("\n## %s\n\n", s.name)
	fmt.Fprintf(o.out, "%s, %s on %s/%s, GOMAXPROCS %d%s: `-suite %s -reps %d`\n", time.Now().Format(time.DateOnly),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), load(), s.name, o.reps)
	s.run(o)
	o.print(o)
	return text.String()
}

// load returns how busy the machine is before the suite begins, where that is known.
func load() string {
	averages, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return ", load " + strings.Fields(string(averages))[0]
}
