package amorsize_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func square(i int) (int, error) { return i * i, nil }

// EX-01, and both type arguments are inferred.
func TestExecute(t *testing.T) {
	out, err := amorsize.Execute(square, []int{1, 2, 3, 4, 5})
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 9, 16, 25}, out)
	numbers, err := amorsize.Execute(strconv.Atoi, []string{"7", "8", "nine"})
	require.ErrorIs(t, err, strconv.ErrSyntax)
	require.Equal(t, []int{7, 8, 0}, numbers, "the results so far come with the error")
	item, ok := errors.AsType[*amorsize.ItemError](err)
	require.True(t, ok)
	require.Equal(t, 2, item.Index)
	none, err := amorsize.Execute(square, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// Each option's error names the option, the value and the range, and no item runs.
func TestInvalidOptions(t *testing.T) {
	var nilPolicy amorsize.Policy
	var nilObserver amorsize.Observer
	for want, opts := range map[string][]amorsize.Option{
		"WithWorkers = 0: must be at least 1":                                 {amorsize.WithWorkers(0)},
		"WithWorkers = -3: must be at least 1":                                {amorsize.WithWorkers(-3)},
		"WithMaxWorkers = -1":                                                 {amorsize.WithMaxWorkers(-1)},
		"WithChunkSize = 0":                                                   {amorsize.WithChunkSize(0)},
		"WithMaxChunkSize = 0":                                                {amorsize.WithMaxChunkSize(0)},
		"WithTargetChunkDuration = 0s: must be above 0":                       {amorsize.WithTargetChunkDuration(0)},
		"WithTargetChunkDuration = -100ms":                                    {amorsize.WithTargetChunkDuration(-100 * time.Millisecond)},
		"WithTargetChunkDuration = 1h0m1s":                                    {amorsize.WithTargetChunkDuration(3601 * time.Second)},
		"WithSampleSize = 0: must be 1 to 10000":                              {amorsize.WithSampleSize(0)},
		"WithSampleSize = 10001: must be 1 to 10000":                          {amorsize.WithSampleSize(10_001)},
		"WithMemoryLimit = 5: must be at least 1048576 bytes":                 {amorsize.WithMemoryLimit(5)},
		"WithErrors = 9: must be FailFast or Collect":                         {amorsize.WithErrors(9)},
		"WithItemTimeout = 0s: must be above 0":                               {amorsize.WithItemTimeout(0)},
		"WithItemTimeout = -1s: must be above 0":                              {amorsize.WithItemTimeout(-time.Second)},
		"WithReport = <nil>":                                                  {amorsize.WithReport(nil)},
		"WithProgress = nil":                                                  {amorsize.WithProgress(nil)},
		"WithProgressInterval = 0s":                                           {amorsize.WithProgressInterval(0)},
		"WithLogger = nil":                                                    {amorsize.WithLogger(nil)},
		"WithPolicies[0] = <nil>: must be a policy":                           {amorsize.WithPolicies(nilPolicy)},
		"WithObserver[0] = <nil>: must be an observer":                        {amorsize.WithObserver(nilObserver)},
		"WithWorkers = 9: must be at most 4, the bound given on workers":      {amorsize.WithWorkers(9), amorsize.WithMaxWorkers(4)},
		"WithPlan = 0 workers × chunks of 0":                                  {amorsize.WithPlan(amorsize.Plan{})},
		"WithWorkers = 2: must be unset where a plan decides":                 {amorsize.WithWorkers(2), amorsize.WithPlan(amorsize.Plan{Workers: 1, ChunkSize: 1})},
		"WithChunkSize = 5: must be unset where a largest chunk is given (9)": {amorsize.WithChunkSize(5), amorsize.WithMaxChunkSize(9)},
	} {
		t.Run(want, func(t *testing.T) {
			fn := func(context.Context, int) (int, error) { t.Error("an item was run"); return 0, nil }
			_, err := amorsize.ExecuteContext(t.Context(), fn, []int{1}, opts...)
			require.ErrorIs(t, err, amorsize.ErrConfig)
			require.ErrorContains(t, err, want)
			_, err = amorsize.Optimize(t.Context(), fn, []int{1}, opts...)
			if len(opts) == 1 {
				require.ErrorContains(t, err, want)
			}
		})
	}
	_, err := amorsize.Execute[int, int](nil, []int{1})
	require.ErrorIs(t, err, amorsize.ErrConfig)
	require.ErrorContains(t, err, "fn = <nil>: must be a function")
	_, err = amorsize.ExecuteBatches[int, int](t.Context(), nil, []int{1})
	require.ErrorContains(t, err, "fn")
	err = amorsize.ForEach(t.Context(), nil, []int{1})
	require.ErrorContains(t, err, "fn = <nil>: must be a function")
	_, err = amorsize.Execute(square, []int{1}, amorsize.WithItemTimeout(time.Second))
	require.ErrorIs(t, err, amorsize.ErrConfig)
	require.ErrorContains(t, err, "WithItemTimeout = 1s: must be unset where the function takes no context")
	var none amorsize.Option
	out, err := amorsize.Execute(square, []int{3}, none)
	require.NoError(t, err)
	require.Equal(t, []int{9}, out)
}

// A plan goes through JSON and back into a run.
func TestSavedPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetch := func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		}
		items := make([]int, 300)
		plan, err := amorsize.Optimize(t.Context(), fetch, items)
		require.NoError(t, err)
		require.Equal(t, amorsize.IOBound, plan.Workload)
		require.Equal(t, amorsize.Parallel, plan.Mode)
		text, err := json.Marshal(plan)
		require.NoError(t, err)
		var saved amorsize.Plan
		require.NoError(t, json.Unmarshal(text, &saved))
		var report amorsize.Report
		_, err = amorsize.ExecuteContext(t.Context(), fetch, items, amorsize.WithPlan(saved), amorsize.WithReport(&report))
		require.NoError(t, err)
		require.Greater(t, report.PeakWorkers, 15)
		require.Less(t, report.Elapsed, 200*time.Millisecond)
	})
}

// EX-05: the report has the plan, and the plan is what Optimize makes.
func TestReportHasThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(_ context.Context, i int) (int, error) { time.Sleep(5 * time.Millisecond); return i, nil }
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), wait, make([]int, 500), amorsize.WithReport(&report), amorsize.WithSampleSize(5))
		require.NoError(t, err)
		plan, err := amorsize.Optimize(t.Context(), wait, make([]int, 500), amorsize.WithSampleSize(5))
		require.NoError(t, err)
		require.Equal(t, plan.Workers, report.Plan.Workers)
		require.Equal(t, plan.ChunkSize, report.Plan.ChunkSize)
		require.Equal(t, report.Plan.PredictedDuration, report.PredictedDuration)
	})
}

// Nothing at all is allocated for an item, and little for a run.
func TestAllocations(t *testing.T) {
	items := make([]int, 100)
	least := math.Inf(1)
	for tries := 0; tries < 50 && least > 3; tries++ { // on a busy machine the alarm makes a pool of a run now and then
		least = min(least, testing.AllocsPerRun(10, func() { _, _ = amorsize.Execute(square, items) }))
	}
	require.LessOrEqual(t, least, 3.0)
}

// A configuration error of a run that an item makes is that item's error: it neither
// replaces the other failures nor passes for one of this run's own options.
func TestConfigErrorOfANestedRun(t *testing.T) {
	boom := errors.New("boom")
	fails := func(_ context.Context, i int) (int, error) {
		switch i {
		case 2:
			return 0, boom
		case 5:
			_, err := amorsize.Execute[int, int](nil, []int{1})
			return 0, err
		}
		return i, nil
	}
	items := []int{0, 1, 2, 3, 4, 5, 6}
	out, err := amorsize.ExecuteContext(t.Context(), fails, items, amorsize.WithErrors(amorsize.Collect))
	require.Equal(t, 6, out[6])
	all, ok := err.(*amorsize.Errors) //nolint:errorlint // not further down
	require.True(t, ok, "%v", err)
	require.Len(t, all.Unwrap(), 2)
	require.ErrorIs(t, err, boom)
	item, ok := errors.AsType[*amorsize.ItemError](all.Unwrap()[1])
	require.True(t, ok)
	require.Equal(t, 5, item.Index)
	require.ErrorIs(t, item, amorsize.ErrConfig)

	_, err = amorsize.ExecuteContext(t.Context(), fails, items[3:])
	item, ok = errors.AsType[*amorsize.ItemError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 2, item.Index)
	_, err = amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, batch []int) ([]int, error) {
		_, err := fails(ctx, 5)
		return nil, err
	}, items)
	_, ok = errors.AsType[*amorsize.BatchError](err)
	require.True(t, ok, "%v", err)
	for r := range amorsize.Stream(t.Context(), fails, slices.Values(items[3:])) {
		_, ok = errors.AsType[*amorsize.ItemError](r.Err)
		require.Equal(t, r.Index == 2, ok, "%v", r.Err)
	}
}

// E3: a progress function that is slow costs the run at most one call of it, and is
// not told old news.
func TestSlowProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var oldest time.Duration
		err := amorsize.ForEach(t.Context(), func(context.Context, int) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}, make([]int, 4000), amorsize.WithWorkers(4), amorsize.WithProgress(func(p amorsize.Progress) {
			oldest = max(oldest, time.Since(start)-p.Elapsed)
			time.Sleep(500 * time.Millisecond)
		}))
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 11*time.Second)
		require.Zero(t, oldest)
	})
}

// Each item once, no results, and what failed is told.
func TestForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen [500]atomic.Int32
		items := make([]int, len(seen))
		for i := range items {
			items[i] = i
		}
		var report amorsize.Report
		err := amorsize.ForEach(t.Context(), func(_ context.Context, i int) error {
			time.Sleep(time.Millisecond)
			if seen[i].Add(1); i%100 == 7 {
				return strconv.ErrRange
			}
			return nil
		}, items, amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
		require.ErrorIs(t, err, strconv.ErrRange)
		require.Equal(t, 5, report.Failed)
		for i := range seen {
			require.EqualValues(t, 1, seen[i].Load())
			require.Equal(t, i%100 != 7, report.Valid(i))
		}
	})
	items := make([]int, 10_000)
	nothing := func(context.Context, int) error { return nil }
	// How many a run of several workers makes depends on how long it takes; an item's would be 10,000.
	require.Less(t, testing.AllocsPerRun(10, func() { _ = amorsize.ForEach(t.Context(), nothing, items) }), 500.0)
}
