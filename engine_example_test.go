package amorsize_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing/iotest"
	"time"

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

// An input that can fail: what came before the error is run.
func ExampleStreamSeq2() {
	lines := func(yield func(string, error) bool) {
		scanner := bufio.NewScanner(io.MultiReader(strings.NewReader("1\n2\n"), iotest.ErrReader(errors.New("connection lost"))))
		for scanner.Scan() {
			if !yield(scanner.Text(), nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield("", err)
		}
	}
	for r := range amorsize.StreamSeq2(context.Background(), parse, lines) {
		fmt.Println(r.Index, r.Value, r.Err)
	}
	// Output:
	// 0 1 <nil>
	// 1 2 <nil>
	// -1 0 connection lost
}

// A stream of what comes through a channel, which ends when it is closed or ctx ends.
func ExampleFromChannel() {
	words := make(chan string, 2)
	words <- "1"
	words <- "2"
	close(words)
	ctx := context.Background()
	for r := range amorsize.Stream(ctx, parse, amorsize.FromChannel(ctx, words)) {
		fmt.Println(r.Value)
	}
	// Output:
	// 1
	// 2
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

// An engine bounds the calls of all of its runs and streams.
func ExampleEngine_itemTimeout() {
	engine, _ := amorsize.New(func(ctx context.Context, id int) (int, error) {
		if id == 2 {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}
		return id, nil
	}, amorsize.WithItemTimeout(5*time.Millisecond))
	_, err := engine.Run(context.Background(), []int{1, 2, 3})
	fmt.Println(err)
	for r := range engine.Stream(context.Background(), slices.Values([]int{1, 2})) {
		fmt.Println(r.Value, r.Err)
	}
	// Output:
	// item 1: the call took longer than 5ms
	// 1 <nil>
	// 0 item 1: the call took longer than 5ms
}
