// Command quickstart runs three workloads over real data with amorsize and with
// the plain loop, and tells what was planned and what came of it:
//
//	go run ./examples/quickstart
//
// With -explain it prints the whole reasoning behind each plan. The data are the
// airports of the United States. The first workload is too small to gain anything,
// the second computes, the third waits for a real HTTP server that the program
// starts on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/amorsize/amorsize"
)

// explain is the flag of that name.
var explain bool

func main() {
	data := flag.String("data", "testdata/airports.csv", "the airports, as CSV")
	flag.BoolVar(&explain, "explain", false, "print the whole reasoning behind each plan")
	flag.Parse()
	airports, err := readAirports(*data)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	fmt.Printf("%d airports from %s\n", len(airports), *data)
	if err := runAll(airports); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func runAll(airports []airport) error {
	ctx := context.Background()
	server, err := startServer(airports)
	if err != nil {
		return err
	}
	defer server.close()
	return errors.Join(
		run(ctx, "1. Too small to gain: a label for each of 1000 airports", label, airports[:1000]),
		run(ctx, "2. Computing: the nearest of all airports, for each", nearest(airports), airports),
		run(ctx, "3. Waiting: an HTTP request for each of 300 airports, answered after 20 to 40 ms", server.ask, airports[:300]),
	)
}

// run does the work twice, with amorsize and in the plain loop, and compares.
func run[R any](ctx context.Context, title string, fn func(context.Context, airport) (R, error), items []airport) error {
	fmt.Printf("\n── %s\n", title)
	start := time.Now()
	want := make([]R, len(items))
	for i, item := range items {
		var err error
		if want[i], err = fn(ctx, item); err != nil {
			return err
		}
	}
	loop := time.Since(start)

	var report amorsize.Report
	got, err := amorsize.ExecuteContext(ctx, fn, items,
		amorsize.WithReport(&report),
		amorsize.WithProgress(func(p amorsize.Progress) {
			fmt.Printf("   %3.0f %%  %d of %d after %v, workers: %d\n",
				100*p.Fraction(), p.Completed, p.Total, p.Elapsed.Round(time.Microsecond), p.Workers)
		}))
	if err != nil {
		return err
	}
	fmt.Print(report.String())
	if explain {
		fmt.Print(report.Plan.Explain())
	}
	fmt.Printf("  loop      %v: amorsize took %.2g × that\n", loop.Round(time.Microsecond), report.Elapsed.Seconds()/loop.Seconds())
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: the results differ from the plain loop's", title)
	}
	fmt.Printf("  checked   all %d results are the plain loop's\n", len(got))
	return nil
}
