package circuitbreaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/retry"
)

func Example() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 2, OpenFor: time.Minute})
	down := func(context.Context) error { return errors.New("connection refused") }
	for range 3 {
		err := breaker.Do(context.Background(), down)
		if open, ok := errors.AsType[*circuitbreaker.OpenError](err); ok {
			fmt.Println("not called; again in", open.RetryAfter.Round(time.Second))
			continue
		}
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// not called; again in 1m0s
}

func ExampleNew() {
	_, err := circuitbreaker.New(circuitbreaker.Policy{FailureRate: 1.5})
	fmt.Println(err)
	// Output: circuitbreaker: FailureRate = 1.5: must be above 0 up to 1, or 0 for none
}

func ExamplePolicy() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{
		FailureThreshold: 1,
		IsFailure:        func(err error) bool { return err.Error() != "not found" },
		OnOpen:           func(failures int, last error) { fmt.Println("open after", failures, "failure:", last) },
	})
	for _, text := range []string{"not found", "timeout"} {
		_ = breaker.Do(context.Background(), func(context.Context) error { return errors.New(text) })
	}
	fmt.Println(breaker.State(), breaker.Counts().Failures)
	breaker.Reset()
	fmt.Println(breaker.State())
	// Output:
	// open after 1 failure: timeout
	// open 1
	// closed
}

// In a batch, an outage pauses the run, and the retrier makes failed calls again: no item is lost.
func ExampleWait() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{
		FailureThreshold: 2, OpenFor: 5 * time.Millisecond, WhenOpen: circuitbreaker.Wait,
	})
	retrier := retry.MustNew(retry.Policy{InitialDelay: time.Millisecond})
	calls := 0
	out, err := amorsize.Execute(func(i int) (int, error) {
		if calls++; calls > 1 && calls < 4 {
			return 0, errors.New("down for a moment")
		}
		return i * i, nil
	}, []int{1, 2, 3, 4}, amorsize.WithPolicies(retrier, breaker), amorsize.WithWorkers(1))
	fmt.Println(out, err)
	// Output: [1 4 9 16] <nil>
}

// A call that is made elsewhere.
func ExampleBreaker_Allow() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1})
	permit, err := breaker.Allow(context.Background())
	if err != nil {
		return
	}
	permit.Done(errors.New("it failed"))
	fmt.Println(breaker.State())
	// Output: open
}

func ExampleWrap() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{})
	double := circuitbreaker.Wrap(breaker, func(_ context.Context, i int) (int, error) { return 2 * i, nil })
	fmt.Println(double(context.Background(), 21))
	// Output: 42 <nil>
}

func ExampleCall() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{})
	fmt.Println(circuitbreaker.Call(context.Background(), breaker, func(context.Context) (string, error) { return "done", nil }))
	// Output: done <nil>
}

func ExampleBreaker_Counts() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureRate: 0.5})
	for _, err := range []error{nil, errors.New("timeout"), nil} {
		_ = breaker.Do(context.Background(), func(context.Context) error { return err })
	}
	counts := breaker.Counts()
	fmt.Println(counts.WindowFailures, "of", counts.WindowCalls)
	breaker.Reset()
	fmt.Println(breaker.Counts() == circuitbreaker.Counts{})
	// Output:
	// 1 of 3
	// true
}

// Peek changes nothing: no callback is called that is due.
func ExampleBreaker_Peek() {
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Hour})
	_ = breaker.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	state, counts := breaker.Peek()
	fmt.Println(state, counts.Failures)
	// Output: open 1
}

// A breaker for each host: one that is down keeps nobody else's calls.
func ExampleKeyed() {
	hosts := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{FailureThreshold: 1}, 0)
	down := func(context.Context) error { return errors.New("no route") }
	fmt.Println(hosts.Do(context.Background(), "a.example", down))
	fmt.Println(hosts.State("a.example"), hosts.State("b.example"))
	// Output:
	// no route
	// open closed
}
