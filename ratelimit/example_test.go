package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
)

func Example() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5})
	err := limiter.Do(context.Background(), func(context.Context) error {
		fmt.Println("called")
		return nil
	})
	fmt.Println(err)
	// Output:
	// called
	// <nil>
}

func ExampleNew() {
	_, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: -1})
	fmt.Println(err)
	// Output: ratelimit: BurstSize = -1: must be at least 1, or 0 for the default
}

// An amount above the burst is served over time, in its turn.
func ExampleLimiter_AcquireN() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 2})
	fmt.Println(limiter.AcquireN(context.Background(), 2.5))
	// Output: <nil>
}

func ExampleLimiter_Acquire_deadline() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 1})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fmt.Println(limiter.Acquire(ctx))
	fmt.Println(limiter.Acquire(ctx) != nil, "at once: its turn would come after the deadline")
	// Output:
	// <nil>
	// true at once: its turn would come after the deadline
}

func ExampleLimiter_TryAcquireN() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5})
	fmt.Println(limiter.TryAcquireN(4), limiter.TryAcquireN(4))
	// Output: true false
}

// What a call costs may be known only afterwards: the tokens of a language model.
func ExampleLimiter_Debit() {
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 10_000})
	estimate, used := 500.0, 1200.0
	if err := tokens.AcquireN(context.Background(), estimate); err != nil {
		return
	}
	if err := tokens.Debit(used - estimate); err != nil {
		return
	}
	fmt.Println(8800 <= tokens.AvailableTokens() && tokens.AvailableTokens() < 9000)
	// Output: true
}

func ExampleLimiter_Return() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 1})
	fmt.Println(limiter.TryAcquire(), limiter.Return(1), limiter.TryAcquire())
	// Output: true <nil> true
}

func ExampleLimiter_ReturnAfter() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 1})
	fmt.Println(limiter.TryAcquire())
	// A token comes in ten seconds. After four, this one is worth 0.6.
	err := limiter.ReturnAfter(1, 4*time.Second)
	fmt.Printf("%v %.1f\n", err, limiter.AvailableTokens())
	// Output:
	// true
	// <nil> 0.6
}

func ExampleLimiter_Reserve() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1})
	first, _ := limiter.Reserve(1)
	second, _ := limiter.Reserve(1)
	fmt.Println(first.Delay(), second.Delay().Round(time.Second))
	second.Cancel()
	// Output: 0s 1s
}

func ExampleLimiter_PauseFor() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	limiter.PauseFor(time.Minute)
	fmt.Println(limiter.TryAcquire())
	limiter.Reset()
	fmt.Println(limiter.TryAcquire())
	// Output:
	// false
	// true
}

func ExampleLimiter_PauseUntil() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	limiter.PauseUntil(time.Now().Add(time.Hour)) // as a service said
	fmt.Println(limiter.TryAcquire())
	// Output: false
}

func ExampleLimiter_Remaining() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 100})
	limiter.Remaining(3, time.Minute) // X-RateLimit-Remaining: 3, X-RateLimit-Reset: 60
	fmt.Println(limiter.TryAcquireN(4), limiter.TryAcquireN(3))
	// Output: false true
}

// overloaded is what a client returns for a 429.
type overloaded struct{ after time.Duration }

func (overloaded) Error() string               { return "429 Too Many Requests" }
func (e overloaded) RetryAfter() time.Duration { return e.after }

// An answer of 429 holds back everybody.
func ExampleLimiter_Feedback() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	limiter.Feedback(overloaded{after: time.Minute}) // Do does so by itself
	fmt.Println(limiter.TryAcquire())
	// Output: false
}

// Requests and tokens of a language model, each with its limit per minute.
func ExampleAll() {
	requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 60.0 / 60, BurstSize: 60})
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 90_000.0 / 60, BurstSize: 90_000})
	limits := ratelimit.All(requests, tokens)
	fmt.Println(limits.AcquireEach(context.Background(), 1, 1200))
	fmt.Println(int(requests.AvailableTokens()), int(tokens.AvailableTokens()/100))
	// Output:
	// <nil>
	// 59 888
}

func ExampleKeyed() {
	hosts := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 0)
	fmt.Println(hosts.TryAcquire("a.example"), hosts.TryAcquire("b.example"), hosts.TryAcquire("a.example"))
	// Output: true true false
}

func ExampleAdapt() {
	limiter := ratelimit.MustNew(ratelimit.Policy{
		RequestsPerSecond: 10, // to begin with
		Adapt:             &ratelimit.Adapt{Floor: 1, Ceiling: 1000},
	})
	_ = limiter.Do(context.Background(), func(context.Context) error { return overloaded{} }) // no number
	fmt.Println(limiter.Rate())
	// Output: 7.5
}

// Any limiter with a method Wait is a policy.
func ExampleFrom() {
	foreign := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10}) // golang.org/x/time/rate's has the same Wait
	out, err := amorsize.Execute(func(i int) (int, error) { return i + 1, nil }, []int{1, 2, 3},
		amorsize.WithPolicies(ratelimit.From(foreign)))
	fmt.Println(out, err)
	// Output: [2 3 4] <nil>
}

// Both type parameters are inferred.
func ExampleWrap() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	double := ratelimit.Wrap(limiter, func(_ context.Context, i int) (int, error) { return 2 * i, nil })
	fmt.Println(double(context.Background(), 21))
	// Output: 42 <nil>
}

func ExampleWrapKeyed() {
	tenants := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100}, 0)
	tenantOf := func(user string) string { return user[:1] }
	greet := ratelimit.WrapKeyed(tenants, tenantOf, func(_ context.Context, user string) (string, error) { return "hello " + user, nil })
	fmt.Println(greet(context.Background(), "ada"))
	// Output: hello ada <nil>
}

func ExampleCall() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	fmt.Println(ratelimit.Call(context.Background(), limiter, func(context.Context) (string, error) { return "done", nil }))
	// Output: done <nil>
}

func ExampleLimiter_SetRate() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	fmt.Println(limiter.SetRate(2.5), limiter.SetBurst(3), limiter.Rate(), limiter.Burst())
	// Output: <nil> <nil> 2.5 3
}

// Tokens of a model are known when the answer is there: an estimate is taken before, and made
// up for after.
func ExampleLimiter_Settle() {
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 60_000})
	_ = tokens.AcquireN(context.Background(), 1200)
	_ = tokens.Settle(1200, 900)
	left := tokens.AvailableTokens()
	fmt.Println(left > 59_000 && left <= 60_000)
	// Output: true
}

// How long a call would wait is known without taking anything.
func ExampleLimiter_WouldTake() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 3})
	at, _ := limiter.WouldTake(3)
	later, _ := limiter.WouldTake(63)
	fmt.Println(at, later.Round(time.Second))
	// Output: 0s 1m0s
}

// A call of which is known afterwards what it took.
func ExampleLimiter_DoCost() {
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})
	err := tokens.DoCost(context.Background(), 400, func(context.Context) (float64, error) {
		return 150, nil // it took less than was thought
	})
	fmt.Printf("%.0f left, %v\n", tokens.AvailableTokens(), err)
	// Output: 850 left, <nil>
}

// How long a call for a key would wait: others can go first.
func ExampleKeyed_WouldWait() {
	hosts := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1}, 0)
	hosts.TryAcquire("a.example")
	fmt.Println(hosts.WouldWait("a.example") > 0, hosts.WouldWait("b.example"))
	// Output: true 0s
}
