package amorsizetest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/amorsizetest"
)

// A service for two calls at a time that refuses what would have to wait. (In
// a test, run this in a bubble of testing/synctest, and it takes no time.)
func Example() {
	service := amorsizetest.New(amorsizetest.Conditions{
		Slots: 2, Latency: amorsizetest.Constant(time.Second), Line: -1,
	}, 1)
	results := make(chan error)
	for range 3 {
		go func() { results <- service.Call(context.Background()) }()
	}
	refused := 0
	for range 3 {
		if err, ok := errors.AsType[*amorsizetest.RefusedError](<-results); ok {
			fmt.Println(err, err.Reason == amorsizetest.Overloaded, err.StatusCode())
			refused++
		}
	}
	fmt.Println(refused, service.Timeline().Succeeded(), service.Timeline().MostInFlight())
	// Output:
	// 503 overloaded true 503
	// 1 2 3
}

// A service that goes down after a while.
func ExampleService_At() {
	service := amorsizetest.New(amorsizetest.Conditions{}, 1)
	service.At(0, amorsizetest.Conditions{Outage: amorsizetest.Refusing})
	fmt.Println(service.Call(context.Background()))
	// Output: connection refused
}

// tb prints what a test would report.
type tb struct{}

func (tb) Helper()                        {}
func (tb) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }

func ExampleTimeline() {
	service := amorsizetest.New(amorsizetest.Conditions{Rate: 1, Burst: 2}, 1)
	for range 4 {
		_ = service.Call(context.Background())
	}
	timeline := service.Timeline()
	fmt.Println(timeline.AssertLost(tb{}, 0.5), timeline.AssertInFlight(tb{}, 1))
	timeline.AssertLost(tb{}, 0.25)
	// Output:
	// true true
	// amorsizetest: 50.00 % of 4 calls were lost, want at most 25.00 %
}
