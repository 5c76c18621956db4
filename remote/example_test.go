package remote_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote"
)

var square = remote.Register("square", func(n int) (int, error) { return n * n, nil })

func database() (url string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	return "sqlite:" + filepath.Join(dir, "runs.db"), func() { _ = os.RemoveAll(dir) }
}

func ExampleFunc_Execute() {
	url, remove := database()
	defer remove()
	ctx := context.Background()
	cluster, err := remote.Open(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	squares, err := square.Execute(ctx, cluster, []int{1, 2, 3})
	fmt.Println(squares, err)
	// Output: [1 4 9] <nil>
}

// One process submits, others work, and a third reads the results: here they are one.
func ExampleFunc_Submit() {
	url, remove := database()
	defer remove()
	ctx, stop := context.WithCancel(context.Background())
	cluster, err := remote.Open(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	worked := make(chan error)
	go func() { worked <- remote.Work(ctx, cluster) }()

	_, err = square.Submit(ctx, cluster, slices.Values([]int{4, 5, 6}), remote.RunID("night of 26/11"))
	if err != nil {
		log.Fatal(err)
	}
	run, err := square.Attach(ctx, cluster, "night of 26/11")
	if err != nil {
		log.Fatal(err)
	}
	for r := range run.Results(ctx) {
		fmt.Println(r.Index, r.Value, r.Err)
	}
	info, err := run.Wait(ctx)
	fmt.Println(info.State, info.Done, info.Failed, err)
	stop()
	fmt.Println(<-worked)
	// Output:
	// 0 16 <nil>
	// 1 25 <nil>
	// 2 36 <nil>
	// complete 3 0 <nil>
	// <nil>
}

// All processes that have this limit keep to 500 per second together.
func ExampleLimiter() {
	url, remove := database()
	defer remove()
	ctx := context.Background()
	cluster, err := remote.Open(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	limit, err := remote.Limiter(cluster, "openai", ratelimit.Policy{RequestsPerSecond: 500, BurstSize: 10})
	if err != nil {
		log.Fatal(err)
	}
	length := remote.Register("length", func(s string) (int, error) { return len(s), nil }, amorsize.WithPolicies(limit))
	fmt.Println(length.Execute(ctx, cluster, []string{"a", "bc"}))
	// Output: [1 2] <nil>
}
