package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/amorsize/amorsize"
)

func parse(_ context.Context, word string) (int, error) { return strconv.Atoi(word) }

func ExampleStream() {
	words := slices.Values([]string{"1", "2", "3"})
	for r := range amorsize.Stream(context.Background(), parse, words) {
		fmt.Println(r.Index, r.Item, r.Value, r.Err)
	}
	// Output:
	// 0 1 1 <nil>
	// 1 2 2 <nil>
	// 2 3 3 <nil>
}

// The first failure is the last result.
func ExampleStream_failure() {
	words := slices.Values([]string{"1", "two", "3"})
	for r := range amorsize.Stream(context.Background(), parse, words, amorsize.WithWorkers(1)) {
		if r.Err != nil {
			fmt.Println(r.Index, errors.Is(r.Err, strconv.ErrSyntax))
			continue
		}
		fmt.Println(r.Index, r.Value)
	}
	// Output:
	// 0 1
	// 1 true
}

func ExampleWithUnordered() {
	sum := 0
	for r := range amorsize.Stream(context.Background(), parse, slices.Values([]string{"1", "2", "3"}), amorsize.WithUnordered()) {
		sum += r.Value
	}
	fmt.Println(sum)
	// Output: 6
}

// At most two items have been taken from the input and not been yielded.
func ExampleWithWindow() {
	taken := 0
	input := func(yield func(string) bool) {
		for i := range 100 {
			taken++
			if !yield(strconv.Itoa(i)) {
				return
			}
		}
	}
	for r := range amorsize.Stream(context.Background(), parse, input, amorsize.WithWindow(2)) {
		if r.Index == 10 {
			break
		}
	}
	fmt.Println(taken < 15)
	// Output: true
}

func ExampleNew() {
	engine, err := amorsize.New(parse, amorsize.WithErrors(amorsize.Collect))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, words := range [][]string{{"1", "2"}, {"3", "four"}} {
		numbers, err := engine.Run(context.Background(), words)
		fmt.Println(numbers, err)
	}
	fmt.Println(engine.Stats().Runs)
	// Output:
	// [1 2] <nil>
	// [3 0] 1 failed: item 1: strconv.Atoi: parsing "four": invalid syntax
	// 2
}

func ExampleEngine_Stream() {
	engine, _ := amorsize.New(parse)
	for r := range engine.Stream(context.Background(), slices.Values([]string{"7"})) {
		fmt.Println(r.Value)
	}
	// Output: 7
}

// There is no plan before a run has been long enough to make one.
func ExampleEngine_Plan() {
	engine, _ := amorsize.New(parse)
	_, known := engine.Plan()
	fmt.Println(known)
	// Output: false
}

func ExampleWithMinWorkers() {
	_, err := amorsize.Execute(strconv.Atoi, []string{"1"}, amorsize.WithMinWorkers(8), amorsize.WithMaxWorkers(4))
	fmt.Println(err)
	// Output: amorsize: WithMinWorkers = 8: must be at most 4, the upper bound given on workers
}

func ExampleReport_Explain() {
	var report amorsize.Report
	_, _ = amorsize.Execute(strconv.Atoi, []string{"1", "2"}, amorsize.WithReport(&report))
	fmt.Println(report.Bound, len(report.Explain()) > 0)
	// Output: items true
}
