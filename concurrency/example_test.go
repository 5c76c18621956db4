package concurrency_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/concurrency"
)

func Example() {
	limiter := concurrency.MustNew(concurrency.Policy{})
	err := limiter.Do(context.Background(), func(context.Context) error {
		fmt.Println("called")
		return nil
	})
	fmt.Println(err, limiter.Stats().Limit)
	// Output:
	// called
	// <nil> 16
}

func ExampleNew() {
	_, err := concurrency.New(concurrency.Policy{Min: 10, Max: 5})
	fmt.Println(err)
	// Output: concurrency: Max = 5: must be at least Min, or 0 for the default
}

// A limit that is known: a semaphore with bounds on waiting.
func ExamplePolicy() {
	limiter := concurrency.MustNew(concurrency.Policy{Min: 1, Max: 1, MaxWait: time.Millisecond})
	permit, _ := limiter.Acquire(context.Background())
	_, err := limiter.Acquire(context.Background())
	fmt.Println(errors.Is(err, concurrency.ErrFull), err)
	permit.Done(nil)
	// Output: true concurrency: the limit is reached: 1 in flight, 0 waiting; retry after 100ms
}

func ExampleLimiter_Acquire() {
	limiter := concurrency.MustNew(concurrency.Policy{})
	permit, err := limiter.Acquire(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(limiter.Stats().InFlight)
	permit.Done(nil)
	fmt.Println(limiter.Stats().InFlight)
	// Output:
	// 1
	// 0
}

func ExampleLimiter_TryAcquire() {
	limiter := concurrency.MustNew(concurrency.Policy{Max: 1})
	permit, ok := limiter.TryAcquire()
	_, again := limiter.TryAcquire()
	fmt.Println(ok, again)
	permit.Cancel() // no call was made
	// Output: true false
}

func ExampleWrap() {
	limiter := concurrency.MustNew(concurrency.Policy{})
	length := concurrency.Wrap(limiter, func(_ context.Context, s string) (int, error) { return len(s), nil })
	fmt.Println(length(context.Background(), "hello"))
	// Output: 5 <nil>
}

func ExampleCall() {
	limiter := concurrency.MustNew(concurrency.Policy{})
	fmt.Println(concurrency.Call(context.Background(), limiter, func(context.Context) (string, error) { return "hello", nil }))
	// Output: hello <nil>
}

func ExampleNewKeyed() {
	hosts := concurrency.MustNewKeyed[string](concurrency.Policy{Max: 1, OnLimit: concurrency.Reject}, 0)
	a, err := hosts.Acquire(context.Background(), "a.example")
	fmt.Println(err)
	_, err = hosts.Acquire(context.Background(), "a.example")
	fmt.Println(errors.Is(err, concurrency.ErrFull))
	fmt.Println(hosts.Do(context.Background(), "b.example", func(context.Context) error { return nil }))
	a.Done(nil)
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleWrapKeyed() {
	shards := concurrency.MustNewKeyed[int](concurrency.Policy{}, 0)
	double := concurrency.WrapKeyed(shards, func(n int) int { return n % 4 }, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	fmt.Println(double(context.Background(), 21))
	// Output: 42 <nil>
}
