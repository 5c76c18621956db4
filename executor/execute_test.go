package executor_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// Listeners of a measurement hear of it while it is made, and up to the plan; nothing comes when it is over.
func TestAMeasurementIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []executor.Event
		began, late := time.Now(), false
		observer := executor.ObserverFunc(func(e executor.Event) {
			if late = time.Since(began) > time.Hour; e.Kind == executor.Started || e.Kind == executor.Planning && e.Fraction == 0 {
				require.Less(t, time.Since(began), time.Second, "as soon as it begins")
			}
			if e.Kind != executor.Progressed { // it comes at any time
				told = append(told, e)
			}
		})
		plan, err := executor.Measure(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			time.Sleep(time.Second)
			return i, nil
		}}, sequence(9), executor.Config{SampleSize: 5, Observers: []executor.Observer{observer}})
		require.NoError(t, err)
		require.Greater(t, len(told), 4)
		first, last := told[:2], told[len(told)-2:]
		require.Equal(t, []executor.EventKind{executor.Started, executor.Planning}, []executor.EventKind{first[0].Kind, first[1].Kind})
		require.Equal(t, []executor.EventKind{executor.Planning, executor.Planned}, []executor.EventKind{last[0].Kind, last[1].Kind})
		require.InDelta(t, 1, last[0].Fraction, 0)
		require.Equal(t, plan, *last[1].Plan)
		time.Sleep(2 * time.Hour)
		require.False(t, late)
	})
}

// A measurement takes the time to know how much of it calls compute, unless the size of the sample is given. What it could
// not end counts as far as it went.
func TestAMeasurementIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where calls only wait
		for fails, least := range map[int]int{100: 5, 2: 2} {
			plan, err := executor.Measure(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
				if time.Sleep(100 * time.Microsecond); i == fails {
					return 0, errOdd
				}
				return i, nil
			}}, sequence(1000), executor.Config{})
			require.Equal(t, fails == 2, err != nil)
			require.GreaterOrEqual(t, plan.Sample.Items, least)
			require.True(t, plan.Sample.CPUKnown)
			require.Zero(t, plan.Sample.CPUShare)
		}
	})
}

// A panic of the function ends a measurement like a run, with the item's number.
func TestAMeasurementPanics(t *testing.T) {
	measure := func(panics func()) any {
		return catch(func() {
			_, _ = executor.Measure(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
				if i == 3 {
					panics()
				}
				return i, nil
			}}, sequence(9), executor.Config{SampleSize: 9})
		})
	}
	e, ok := measure(explode).(*executor.PanicError)
	require.True(t, ok)
	require.Equal(t, 3, e.Index)
	require.Equal(t, errOdd, e.Value)
	t.Setenv("GODEBUG", "panicnil=1")
	e, ok = measure(func() { panic(nil) }).(*executor.PanicError)
	require.True(t, ok)
	require.Equal(t, 3, e.Index)
	require.Nil(t, e.Value)
}

// The labels of a run are those of its caller's goroutine as long as it runs.
func TestLabelsEndWithTheRun(t *testing.T) {
	labelled := func() bool {
		var all bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		return bytes.Contains(all.Bytes(), []byte("a run that ends"))
	}
	during := false
	_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(_ context.Context, i int) (int, error) {
		during = labelled()
		return i, nil
	}}, sequence(1), executor.Config{Name: "a run that ends", Labels: true})
	require.NoError(t, err)
	require.True(t, during)
	require.False(t, labelled())
}
