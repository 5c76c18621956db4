package executor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// batchesKept runs four items in one claim, in calls of at most two.
func batchesKept(t *testing.T, k Keeper[int, int], policies ...Policy) (w *worker, err error) {
	t.Helper()
	b := newBatches(func(_ context.Context, items []int) ([]int, error) {
		if len(items) > 2 {
			return nil, tooLarge{}
		}
		return items, nil
	}, policies, []int{0, 1, 2, 3}, make([]int, 4), nil, kept[int, int]{keeper: k})
	w = &worker{}
	return w, b.run(t.Context(), w, span{Hi: 4})
}

// The time that a keeper takes is that for each item, one after the other.
func TestTimeOfAKeeperOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := batchesKept(t, slowKeeper(time.Second))
		require.NoError(t, err)
		require.Equal(t, 4*time.Second, w.keeping)
	})
}

// Where an outcome can't be kept, the rest of a batch that was too large is not run.
func TestBatchThatCannotBeKept(t *testing.T) {
	k := &memoryKeeper{unable: errKept}
	w, err := batchesKept(t, k)
	require.ErrorIs(t, err, errUnkept)
	require.Equal(t, errKept, w.unkept)
	require.Len(t, k.kept, 2, "the first half was made")
	require.Equal(t, 2, w.at)
}

// A keeper is told the error of a policy as it is, without the mark of a call that was not made.
func TestKeeperOfARefusedBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it takes no time
		k := &memoryKeeper{}
		w, err := batchesKept(t, k, policy(func(context.Context, func(context.Context) error) error { return answer.Unmade(withdrawn{}) }))
		require.ErrorIs(t, err, errParts)
		require.Equal(t, &BatchError{Index: 0, Size: 4, Err: withdrawn{}}, w.faults[0].err)
		require.Len(t, k.kept, 4)
		for i := range 4 {
			require.Equal(t, Outcome[int]{Err: withdrawn{}}, k.kept[i])
		}
	})
}

// What goes wrong behind the last item of a batch is no item's outcome: those have been told.
func TestLostBehindABatch(t *testing.T) {
	for at, told := range map[int]int{0: 3, 2: 3, 3: 0} {
		k := &memoryKeeper{}
		b := newBatches(tenfolds, nil, []int{0, 1, 2}, make([]int, 3), nil, kept[int, int]{keeper: k})
		b.span = span{Hi: 3}
		w := &worker{}
		w.at, w.panicked = at, &PanicError{Value: "odd"}
		b.lost(w)
		require.Len(t, k.kept, told, at)
	}
}
