package runtotals_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/runtotals"
	"github.com/amorsize/amorsize/ratelimit"
)

// What runs do under way is told as it goes, and stays when they have ended: nothing that counts
// goes back.
func TestRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs runtotals.Runs
		stop := amorsize.Watch(runs.Observer)
		defer stop()
		limiter := ratelimit.MustNew(ratelimit.Policy{Name: "search", RequestsPerSecond: 100, BurstSize: 1})
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
					time.Sleep(30 * time.Millisecond)
					if i%10 == 3 {
						return 0, errors.New("odd")
					}
					return i, nil
				}, sequence(200), amorsize.WithName("crawl"), amorsize.WithPolicies(limiter), amorsize.WithErrors(amorsize.Collect))
				require.Error(t, err)
			})
		}
		var before runtotals.Total
		for range 35 {
			time.Sleep(100 * time.Millisecond)
			all := runs.All()
			require.Len(t, all, 1)
			now := all[0]
			require.Equal(t, "crawl", now.Title)
			require.GreaterOrEqual(t, now.ItemsOK, before.ItemsOK)
			require.GreaterOrEqual(t, now.Calls.Ended, before.Calls.Ended)
			require.GreaterOrEqual(t, now.Calls.Latency.Count(), before.Calls.Latency.Count())
			before = now
		}
		require.Equal(t, 2, before.Active)
		require.Equal(t, 400, before.Items)
		require.InDelta(t, 340, before.Completed, 20)
		require.Equal(t, map[string]int{"policies": 2}, before.Bounds)
		require.Positive(t, before.Limit)
		require.Positive(t, before.Remaining)
		group.Wait()
		after := runs.All()[0]
		require.Zero(t, after.Active)
		require.EqualValues(t, 2, after.Failed)
		require.EqualValues(t, 360, after.ItemsOK)
		require.EqualValues(t, 40, after.ItemsFailed)
		require.EqualValues(t, 400, after.Calls.Ended)
		require.EqualValues(t, 40, after.Calls.Failed.Other)
		require.Len(t, after.Calls.Waits, 1)
		require.Equal(t, after.Calls.Waits[0].Calls, after.Calls.Waits[0].Times.Count())
		require.Empty(t, after.Bounds)

		again := runs.All()[0]
		again.Calls.Latency.Add(1, 1)
		require.Equal(t, after.Calls.Latency.Count(), runs.All()[0].Calls.Latency.Count(), "it is a copy")
	})
}

func sequence(n int) (items []int) {
	for i := range n {
		items = append(items, i)
	}
	return items
}

// Names without end are one.
func TestTitlesAreBounded(t *testing.T) {
	var runs runtotals.Runs
	for i := range 2 * runtotals.MaxTitles {
		_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, []int{1}, amorsize.WithObserver(runs.Observer(amorsize.RunInfo{Name: fmt.Sprint(i)})))
		require.NoError(t, err)
	}
	all := runs.All()
	require.Len(t, all, runtotals.MaxTitles+1)
	var ok int64
	for _, total := range all {
		ok += total.OK
	}
	require.EqualValues(t, 2*runtotals.MaxTitles, ok)
	require.Equal(t, runtotals.Other, all[len(all)-1].Title)
}
