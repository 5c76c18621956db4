package amorsize_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
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
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = amorsize.Execute(square, items) }), 8.0)
}
