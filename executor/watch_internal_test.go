package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// When nobody watches any more, runs are as cheap as before: there is no list to go through.
func TestNobodyWatches(t *testing.T) {
	require.Nil(t, watches.all.Load())
	asked := 0
	observe := func(RunInfo) Observer { asked++; return nil }
	run := func() {
		_, err := Run(t.Context(), Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}, []int{0}, Config{})
		require.NoError(t, err)
	}
	first, second := Watch(observe), Watch(observe)
	require.Len(t, *watches.all.Load(), 2)
	run()
	require.Equal(t, 2, asked)
	first()
	require.Len(t, *watches.all.Load(), 1)
	run()
	require.Equal(t, 3, asked)
	second()
	require.Nil(t, watches.all.Load())
	run()
	require.Equal(t, 3, asked)
}
