package executor

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A run within a call is known to be of the same function, or of another one.
func TestACallIsOfItsFunction(t *testing.T) {
	other := func(_ context.Context, i int) (int, error) { return i, nil }
	var fn func(context.Context, int) (int, error)
	fn = func(ctx context.Context, i int) (int, error) {
		require.NotNil(t, ctx.Value(functionKey{functionOf(fn)}))
		require.Nil(t, ctx.Value(functionKey{functionOf(other)}))
		return i, ctx.Err()
	}
	for _, workers := range []int{0, 2} {
		out, err := Run(t.Context(), Func[int, int]{Context: fn}, []int{7, 8, 9}, Config{Workers: workers})
		require.NoError(t, err)
		require.Equal(t, []int{7, 8, 9}, out)
	}
}

// What a plain function takes is measured as a run calls it: not through policies, if there are none.
func TestAMeasurementOfPlainCalls(t *testing.T) {
	within := func(policies ...Policy) (guarded bool) {
		_, err := Measure(t.Context(), Func[int, int]{Plain: func(i int) (int, error) {
			var pcs [64]uintptr
			frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
			for f, more := frames.Next(); ; f, more = frames.Next() {
				guarded = guarded || strings.Contains(f.Function, "guarded[")
				if !more {
					return i, nil
				}
			}
		}}, []int{1, 2, 3}, Config{SampleSize: 3, Policies: policies})
		require.NoError(t, err)
		return guarded
	}
	require.False(t, within())
	require.True(t, within(passing{}))
}
