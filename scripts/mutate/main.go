// Mutate tests the tests: it makes small mistakes in a package, one at a time, and
// lists those that the tests of the package do not notice.
//
//	go run ./scripts/mutate -n 40 ./retry ./circuitbreaker
//	go run ./scripts/mutate -n 0 ./internal/answer=./transport
//	go run ./scripts/mutate -n 40 ./executor=./executor,.
//
// A package may name others, after "=", whose tests stand for its own. Those of the first are
// asked first, and only the mistakes that they miss are tried on the next: the table has both
// shares. A mistake is
// a comparison that is flipped, a condition that is negated, a statement that is dropped,
// a number that is off by one, or a sum that is a difference. They are a sample, the same
// one for the same -seed, or all of them with -n 0. The tree is left as it is: the compiler
// is given changed files in place of the true ones.
//
// All mistakes are compiled into one binary, each behind a switch, and a first round tells which
// test comes past which switch. So a mistake costs no build, and only the tests that can
// notice it are run: a hundred mistakes or more a minute.
//
// A mistake that no test can notice, since the program does the same with it, belongs into
// equivalent.txt, with the reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"text/tabwriter"
	"time"
)

func main() {
	n := flag.Int("n", 30, "mistakes per package; 0 is all of them")
	seed := flag.Uint64("seed", 1, "of the sample")
	least := flag.Float64("least", 0, "fail if a smaller share than this is noticed in any package")
	bound := flag.Duration("for", time.Hour, "end after this time, with what is known by then")
	workers := flag.Int("workers", 2, "mistakes that are tried at the same time")
	at := flag.String("at", "", "only those that match this `pattern`, as 'retrier.go:1\\d\\d: defer'")
	list := flag.String("equivalent", "scripts/mutate/equivalent.txt", "mistakes that no test can notice")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *bound)
	defer cancel()
	known, err := readEquivalent(*list)
	if err != nil {
		fail(err)
	}
	only, err := regexp.Compile(*at)
	if err != nil {
		fail(err)
	}
	var tallies []tally
	for _, arg := range flag.Args() {
		t, err := try(ctx, arg, sample{n: *n, seed: *seed, workers: *workers, known: known, only: only})
		if err != nil {
			fail(fmt.Errorf("%s: %w", arg, err))
		}
		tallies = append(tallies, t)
	}
	if !report(tallies, *least) {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "mutate:", err)
	os.Exit(2)
}

// tally is what has come of the mistakes in a package.
type tally struct {
	name            string
	sites           int // where a mistake could be made
	noticed, missed int
	later           int // of noticed, by tests that were not the first to be asked
	missing         []site
}

// report prints the table and what was missed; ok says that no package is below least.
func report(tallies []tally, least float64) (ok bool) {
	ok = true
	for _, t := range tallies {
		for _, s := range t.missing {
			fmt.Printf("%s\n\t%s\n", s, s.text)
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "package\tsites\ttried\tby the first\tshare\tby all\tshare")
	for _, t := range tallies {
		tried := t.noticed + t.missed
		share := func(noticed int) float64 { return float64(noticed) / float64(max(1, tried)) }
		first := t.noticed - t.later
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.0f %%\t%d\t%.0f %%\n", t.name, t.sites, tried, first, 100*share(first), t.noticed, 100*share(t.noticed))
		ok = ok && share(t.noticed) >= least
	}
	_ = table.Flush()
	return ok
}
