package amorsize_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
)

func Example() {
	lengths, err := amorsize.Execute(func(word string) (int, error) { return len(word), nil },
		[]string{"measured", "not", "guessed"})
	fmt.Println(lengths, err)
	// Output: [8 3 7] <nil>
}

// Results so far come with the error, which names the item.
func ExampleExecute() {
	numbers, err := amorsize.Execute(strconv.Atoi, []string{"1", "2", "three"})
	fmt.Println(numbers)
	fmt.Println(err)
	item, _ := errors.AsType[*amorsize.ItemError](err)
	fmt.Println("item", item.Index)
	// Output:
	// [1 2 0]
	// item 2: strconv.Atoi: parsing "three": invalid syntax
	// item 2
}

// The context that fn gets ends when the caller's does or when another item fails.
func ExampleExecuteContext() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	upper := func(ctx context.Context, s string) (string, error) {
		return strings.ToUpper(s), ctx.Err()
	}
	out, err := amorsize.ExecuteContext(ctx, upper, []string{"a", "b"})
	fmt.Println(out, err)
	// Output: [A B] <nil>
}

// Nothing is returned but what failed.
func ExampleForEach() {
	err := amorsize.ForEach(context.Background(), func(_ context.Context, name string) error {
		if name == "" {
			return errors.New("a user has no name")
		}
		return nil // a service would be told of the user here
	}, []string{"Ada", "", "Alan"}, amorsize.WithErrors(amorsize.Collect))
	fmt.Println(err)
	// Output: 1 failed: item 1: a user has no name
}

// A call has 5 ms; a retrier would give each attempt as much.
func ExampleWithItemTimeout() {
	answer := func(ctx context.Context, id int) (string, error) {
		if id == 2 { // no answer
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "fine", nil
	}
	out, err := amorsize.ExecuteContext(context.Background(), answer, []int{1, 2, 3},
		amorsize.WithItemTimeout(5*time.Millisecond), amorsize.WithErrors(amorsize.Collect))
	fmt.Printf("%q\n%v\n%v\n", out, err, errors.Is(err, context.DeadlineExceeded))
	// Output:
	// ["fine" "" "fine"]
	// 1 failed: item 1: the call took longer than 5ms
	// true
}

// One call takes a whole batch; how large a batch is found out.
func ExampleExecuteBatches() {
	insert := func(_ context.Context, names []string) ([]int, error) {
		ids := make([]int, len(names)) // a bulk insert would return them
		for i, name := range names {
			ids[i] = len(name)
		}
		return ids, nil
	}
	ids, err := amorsize.ExecuteBatches(context.Background(), insert, []string{"Ada", "Grace", "Alan"},
		amorsize.WithMaxChunkSize(500))
	fmt.Println(ids, err)
	// Output: [3 5 4] <nil>
}

// The sample is run, the rest is not.
func ExampleOptimize() {
	wait := func(context.Context, int) (int, error) {
		time.Sleep(2 * time.Millisecond)
		return 0, nil
	}
	plan, err := amorsize.Optimize(context.Background(), wait, make([]int, 1000))
	fmt.Println(plan.Workload, plan.Mode, plan.Workers, err)
	fmt.Println(plan.Sample.Items < 10, "explained:", strings.Contains(plan.Explain(), "Measured"))
	// Output:
	// I/O-bound parallel 16 <nil>
	// true explained: true
}

func double(i int) (int, error) { return 2 * i, nil }

func ExampleWithWorkers() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithWorkers(2))
	fmt.Println(out)
	_, err := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithWorkers(0))
	fmt.Println(err)
	// Output:
	// [2 4 6]
	// amorsize: WithWorkers = 0: must be at least 1
}

func ExampleWithMaxWorkers() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithMaxWorkers(8))
	fmt.Println(out)
	// Output: [2 4 6]
}

func ExampleWithChunkSize() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithChunkSize(2))
	fmt.Println(out)
	// Output: [2 4 6]
}

func ExampleWithMaxChunkSize() {
	batches := func(_ context.Context, batch []int) ([]int, error) { return batch, nil }
	out, _ := amorsize.ExecuteBatches(context.Background(), batches, []int{1, 2, 3}, amorsize.WithMaxChunkSize(2))
	fmt.Println(out)
	// Output: [1 2 3]
}

func ExampleWithTargetChunkDuration() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithTargetChunkDuration(time.Millisecond))
	fmt.Println(out)
	// Output: [2 4 6]
}

// Calls that wait keep to the cores.
func ExampleWithIOConcurrency() {
	var report amorsize.Report
	wait := func(i int) (int, error) { time.Sleep(time.Millisecond); return i, nil }
	_, _ = amorsize.Execute(wait, make([]int, 50), amorsize.WithIOConcurrency(false), amorsize.WithMaxWorkers(2), amorsize.WithReport(&report))
	fmt.Println(report.PeakWorkers <= 2)
	// Output: true
}

func ExampleWithLoadAware() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithLoadAware())
	fmt.Println(out)
	// Output: [2 4 6]
}

func ExampleWithSampleSize() {
	var report amorsize.Report
	_, _ = amorsize.Execute(double, make([]int, 100), amorsize.WithSampleSize(40), amorsize.WithReport(&report))
	fmt.Println(report.Plan.Sample.Items)
	// Output: 40
}

func ExampleWithMemoryLimit() {
	out, _ := amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithMemoryLimit(64<<20))
	fmt.Println(out)
	// Output: [2 4 6]
}

// All items are run, and all failures returned.
func ExampleWithErrors() {
	numbers, err := amorsize.Execute(strconv.Atoi, []string{"one", "2", "three"}, amorsize.WithErrors(amorsize.Collect))
	fmt.Println(numbers)
	all, _ := errors.AsType[*amorsize.Errors](err)
	for _, err := range all.Unwrap() {
		fmt.Println(err)
	}
	// Output:
	// [0 2 0]
	// item 0: strconv.Atoi: parsing "one": invalid syntax
	// item 2: strconv.Atoi: parsing "three": invalid syntax
}

// twice is a policy that makes a second attempt.
type twice struct{}

func (twice) Do(ctx context.Context, call func(context.Context) error) error {
	if call(ctx) == nil {
		return nil
	}
	return call(ctx)
}

// A policy guards each call, those of the sample too.
func ExampleWithPolicies() {
	attempts := 0
	flaky := func(i int) (int, error) {
		if attempts++; attempts == 1 {
			return 0, errors.New("try again")
		}
		return i, nil
	}
	out, err := amorsize.Execute(flaky, []int{5}, amorsize.WithPolicies(twice{}))
	fmt.Println(out, err)
	// Output: [5] <nil>
}

// A plan made once is kept as JSON and used again.
func ExampleWithPlan() {
	wait := func(_ context.Context, i int) (int, error) { time.Sleep(time.Millisecond); return i, nil }
	items := []int{1, 2, 3, 4}
	plan, _ := amorsize.Optimize(context.Background(), wait, items)
	text, _ := json.Marshal(plan)

	var saved amorsize.Plan
	_ = json.Unmarshal(text, &saved)
	out, err := amorsize.ExecuteContext(context.Background(), wait, items, amorsize.WithPlan(saved))
	fmt.Println(out, err)
	// Output: [1 2 3 4] <nil>
}

func ExampleWithReport() {
	var report amorsize.Report
	_, err := amorsize.Execute(strconv.Atoi, []string{"1", "two", "3"}, amorsize.WithReport(&report))
	fmt.Println(err != nil, report.Succeeded, report.Failed, report.Valid(0), report.Valid(1), report.Valid(2))
	// Output: true 1 1 true false false
}

func ExampleWithProgress() {
	_, _ = amorsize.Execute(double, make([]int, 20), amorsize.WithProgress(func(p amorsize.Progress) {
		if p.Completed == p.Total {
			fmt.Printf("%d of %d, %.0f %%\n", p.Completed, p.Total, 100*p.Fraction())
		}
	}))
	// Output: 20 of 20, 100 %
}

// A run that is over before is told of once.
func ExampleWithProgressInterval() {
	_, _ = amorsize.Execute(double, make([]int, 20),
		amorsize.WithProgress(func(p amorsize.Progress) { fmt.Println(p.Completed, "of", p.Total) }),
		amorsize.WithProgressInterval(time.Minute))
	// Output: 20 of 20
}

// The plan is told while it is made.
func ExampleWithLogger() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key { // what differs from run to run
			case "msg", "mode", "workers", "items", "succeeded":
				return a
			}
			return slog.Attr{}
		},
	}))
	_, _ = amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithLogger(log))
	// Output:
	// msg=plan mode=serial workers=1
	// msg=done items=3 succeeded=3
}

func ExampleWithObserver() {
	_, _ = amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithObserver(amorsize.ObserverFunc(func(e amorsize.Event) {
		switch e.Kind {
		case amorsize.Started:
			fmt.Println("started", e.Total)
		case amorsize.Finished:
			fmt.Println("finished", e.Completed, e.Report.Succeeded)
		}
	})))
	// Output:
	// started 3
	// finished 3 3
}

// Hooks can be registered and removed at any time.
func ExampleHooks() {
	var hooks amorsize.Hooks
	hooks.On(amorsize.Planned, func(e amorsize.Event) { fmt.Println("plan:", e.Plan.Mode) })
	end := hooks.On(amorsize.Finished, func(amorsize.Event) { fmt.Println("never said") })
	hooks.Remove(end)
	_, _ = amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithObserver(&hooks))
	// Output: plan: serial
}

// A limiter for each host: URLs of one that has to wait let those of others pass.
func ExampleByKey() {
	limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100}, 0)
	hostOf := func(address string) string {
		host, _, _ := strings.Cut(address, "/")
		return host
	}
	fetch := func(_ context.Context, address string) (int, error) { return len(address), nil }
	sizes, err := amorsize.ExecuteContext(context.Background(), fetch, []string{"a.example/1", "a.example/22", "b.example/3"},
		amorsize.WithPolicies(amorsize.ByKey(limiters, hostOf)))
	fmt.Println(sizes, err)
	// Output: [11 12 11] <nil>
}

// 60 000 tokens a minute, of which a call is told what it took.
func ExampleCost() {
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})
	ask := func(_ context.Context, question string) (int, error) { return 10 * len(question), nil }
	answers, err := amorsize.ExecuteContext(context.Background(), ask, []string{"why", "how"},
		amorsize.WithPolicies(amorsize.Cost(tokens,
			func(question string) float64 { return 50 },
			func(used int, err error) float64 { return float64(used) })))
	fmt.Println(answers, err)
	// Output: [30 30] <nil>
}

// Tokens of each tenant.
func ExampleCostByKey() {
	tenants := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1000}, 0)
	type question struct{ tenant, text string }
	ask := func(_ context.Context, q question) (int, error) { return 10 * len(q.text), nil }
	answers, err := amorsize.ExecuteContext(context.Background(), ask, []question{{"a", "why"}, {"b", "how"}},
		amorsize.WithPolicies(amorsize.CostByKey(tenants,
			func(q question) string { return q.tenant },
			func(q question) float64 { return 50 },
			func(used int, err error) float64 { return float64(used) })))
	fmt.Println(answers, err)
	// Output: [30 30] <nil>
}
