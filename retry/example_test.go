package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/retry"
)

func Example() {
	retrier := retry.MustNew(retry.Policy{MaxRetries: 5, InitialDelay: time.Millisecond})
	calls := 0
	err := retrier.Do(context.Background(), func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("connection reset")
		}
		return nil
	})
	fmt.Println(calls, err)
	// Output: 3 <nil>
}

func ExampleNew() {
	_, err := retry.New(retry.Policy{MaxRetries: -2})
	fmt.Println(err)
	// Output: retry: MaxRetries = -2: must be at least 1, 0 for the default, Unlimited or NoRetries
}

func ExamplePolicy() {
	retrier := retry.MustNew(retry.Policy{
		InitialDelay: time.Millisecond,
		MaxDelay:     10 * time.Millisecond,
		Jitter:       retry.JitterFull,
		RetryIf:      func(err error) bool { return err.Error() != "not found" },
		OnRetry:      func(err error, attempt int, _ time.Duration) { fmt.Println("attempt", attempt, "failed:", err) },
	})
	err := retrier.Do(context.Background(), func(context.Context) error { return errors.New("busy") })
	exhausted, _ := errors.AsType[*retry.ExhaustedError](err)
	fmt.Println(exhausted.Attempts, err)
	// Output:
	// attempt 1 failed: busy
	// attempt 2 failed: busy
	// attempt 3 failed: busy
	// 4 retry: given up after 4 attempts: busy
}

// The mark says that a retry is of no use; the caller gets the error without it.
func ExamplePermanent() {
	retrier := retry.MustNew(retry.Policy{})
	err := retrier.Do(context.Background(), func(context.Context) error {
		return retry.Permanent(errors.New("no such user"))
	})
	fmt.Println(err)
	// Output: no such user
}

// Retries of all calls together are a tenth of what succeeds and one per second.
func ExampleBudget() {
	budget := retry.MustNewBudget(retry.BudgetPolicy{Ratio: 0.1, PerSecond: 1, Most: 2})
	retrier := retry.MustNew(retry.Policy{MaxRetries: 100, InitialDelay: time.Millisecond, MaxDelay: time.Millisecond, Budget: budget})
	calls := 0
	err := retrier.Do(context.Background(), func(context.Context) error {
		calls++
		return errors.New("down")
	})
	fmt.Println(calls, errors.Is(err, retry.ErrBudget))
	// Output: 3 true
}

func ExampleWrap() {
	retrier := retry.MustNew(retry.Policy{})
	double := retry.Wrap(retrier, func(_ context.Context, i int) (int, error) { return 2 * i, nil })
	fmt.Println(double(context.Background(), 21))
	// Output: 42 <nil>
}

func ExampleCall() {
	retrier := retry.MustNew(retry.Policy{})
	fmt.Println(retry.Call(context.Background(), retrier, func(context.Context) (string, error) { return "done", nil }))
	// Output: done <nil>
}

func ExampleExhaustedError() {
	retrier := retry.MustNew(retry.Policy{MaxRetries: 1, InitialDelay: time.Hour, MaxDelay: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	errDown := errors.New("connection refused")
	err := retrier.Do(ctx, func(context.Context) error { return errDown })

	// The delay doesn't fit the deadline, so it is not begun. Both causes are kept.
	fmt.Println(errors.Is(err, errDown), errors.Is(err, context.DeadlineExceeded))
	exhausted, _ := errors.AsType[*retry.ExhaustedError](err)
	fmt.Println(exhausted.Attempts, exhausted.Errs)
	// Output:
	// true true
	// 1 [connection refused]
}

func ExampleRetrier_Policy() {
	retrier := retry.MustNew(retry.Policy{MaxRetries: 7})
	other := retrier.Policy()
	other.MaxRetries = retry.NoRetries
	fmt.Println(retrier.Policy().MaxRetries, other.MaxRetries == retry.NoRetries)
	// Output: 7 true
}
