package executor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sample is run through the policies.
func TestMeasurePolicies(t *testing.T) {
	calls := 0
	counts := policy(func(ctx context.Context, call func(context.Context) error) error {
		calls++
		return call(ctx)
	})
	fn := Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	plan, err := Measure(t.Context(), fn, make([]int, 9), Config{SampleSize: 5, Policies: []Policy{counts}})
	require.NoError(t, err)
	require.Equal(t, 5, plan.Sample.Items)
	require.Equal(t, 5, calls)
}
