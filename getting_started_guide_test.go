package amorsize_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// The code of docs/getting-started.md.
func TestGuideOfTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var mu sync.Mutex
		calls := map[string]int{}
		geocode := func(ctx context.Context, address string) (int, error) {
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			calls[address]++
			if address == "nowhere" {
				return 0, errors.New("no such place")
			}
			return len(address), nil
		}
		addresses := []string{"Rome", "nowhere", "Oslo"}
		firstSteps(t)

		places, err := amorsize.ExecuteContext(ctx, geocode, addresses, amorsize.WithErrors(amorsize.Collect))
		if failures, ok := errors.AsType[*amorsize.Errors](err); ok {
			for _, err := range failures.Unwrap() {
				fmt.Println(err) // item 1: no such place
			}
		}
		require.ErrorContains(t, err, "item 1: no such place")
		require.Equal(t, []int{4, 0, 4}, places)

		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
		retrier := retry.MustNew(retry.Policy{MaxRetries: 5})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait})
		policies := amorsize.WithPolicies(retrier, breaker, limiter)
		addresses = []string{"Rome", "Oslo"}
		places, err = amorsize.ExecuteContext(ctx, geocode, addresses, policies)
		require.NoError(t, err)
		require.Equal(t, []int{4, 4}, places)

		file := strings.NewReader("Rome\nOslo\n")
		lines := bufio.NewScanner(file)
		all := func(yield func(string) bool) {
			for lines.Scan() && yield(lines.Text()) {
			}
		}
		for r := range amorsize.Stream(ctx, geocode, all, policies) {
			if r.Err != nil {
				return // or go on: with WithErrors(Collect) each failure comes as a result
			}
			fmt.Println(r.Item, r.Value)
		}
		require.Equal(t, map[string]int{"Rome": 3, "Oslo": 3, "nowhere": 1}, calls)
	})
}

func firstSteps(t *testing.T) {
	square := func(n int) (int, error) { return n * n, nil }
	squares, err := amorsize.Execute(square, []int{1, 2, 3})
	fmt.Println(squares, err) // [1 4 9] <nil>

	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 9}, squares)
}
