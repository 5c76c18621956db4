package spillqueue_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/internal/spillqueue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A queue beside a slice, with few in memory and with many.
func TestQueueModel(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 3))
		q := spillqueue.New[int](1 + random.IntN(9))
		var model []int
		grow := 0.7
		for i := range 500 {
			if i%100 == 50 {
				grow = 1 - grow
			}
			if random.Float64() < grow {
				require.NoError(t, q.Push(i))
				model = append(model, i)
			} else {
				item, ok, err := q.Pop()
				require.NoError(t, err)
				require.Equal(t, len(model) > 0, ok)
				if ok {
					require.Equal(t, model[0], item)
					model = model[1:]
				}
			}
			require.Equal(t, len(model), q.Len())
		}
		require.NoError(t, q.Close())
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// What JSON does not give back as it was stays in memory.
func TestQueueOfOthers(t *testing.T) {
	type hidden struct{ n int }
	q := spillqueue.New[hidden](2)
	for i := range 20 {
		require.NoError(t, q.Push(hidden{i}))
	}
	for i := range 20 {
		item, ok, err := q.Pop()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, hidden{i}, item)
	}
	require.NoError(t, q.Close())
	f := spillqueue.New[float64](1)
	for range 5 {
		require.NoError(t, f.Push(math.Inf(1)))
	}
	require.Equal(t, 5, f.Len())
	require.NoError(t, f.Close())
}

// Without a place for the file that is said, and nothing is lost.
func TestQueueWithoutAFile(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	q := spillqueue.New[int](1)
	require.NoError(t, q.Push(1))
	require.Error(t, q.Push(2))
	for _, want := range []int{1, 2} {
		item, ok, err := q.Pop()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, item)
	}
	require.NoError(t, q.Close())
}
