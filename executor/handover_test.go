package executor

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of the failures of a stream the one of the lowest item ends it, in whatever order they come. The others are items that
// were not completed, each with its own error and without a value.
func TestTheLowestFailureEndsAStream(t *testing.T) {
	errs := []error{errors.New("first"), errors.New("second"), errors.New("third")}
	result := func(i int, err error) Result[int, int] { return Result[int, int]{Index: i, Item: 10 * i, Err: err} }
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var h handover[int, int]
		for n, i := range order {
			of := result(i, nil)
			of.Value = 7
			h.fail(of, errs[i])
			require.Len(t, h.stopped, n)
		}
		require.Equal(t, result(0, errs[0]), *h.failure, order)
		require.ElementsMatch(t, []Result[int, int]{result(1, errs[1]), result(2, errs[2])}, h.stopped, order)
	}
}

// An item that is left has no value, and the error that it is left with.
func TestALeftItemHasNoValue(t *testing.T) {
	var h handover[int, int]
	h.leave(Result[int, int]{Index: 3, Item: 30, Value: 7, Err: errors.New("before")}, errKept)
	require.Equal(t, []Result[int, int]{{Index: 3, Item: 30, Err: errKept}}, h.stopped)
	require.Nil(t, h.failure)
}

// Of several panics the one of the lowest item is raised.
func TestTheLowestPanicIsRaised(t *testing.T) {
	var h handover[int, int]
	for i, want := range []int{5, 5, 2, 2} {
		h.panics(&PanicError{Index: []int{5, 8, 2, 3}[i]})
		require.Equal(t, want, h.panicked.Index)
	}
}
