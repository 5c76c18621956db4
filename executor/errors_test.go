package executor

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// The errors of the items of a batch are found in that of the batch, in the order of the items. An item that is said to have
// failed without an error has none.
func TestABatchHasTheErrorsOfItsItems(t *testing.T) {
	odd, even, last := errors.New("odd"), errors.New("even"), errors.New("last")
	e := &PartialError{Failed: map[int]error{7: last, 1: odd, 3: nil, 2: even}}
	require.Equal(t, []error{odd, even, last}, e.Unwrap())
	for _, err := range []error{odd, even, last} {
		require.ErrorIs(t, e, err)
	}
	require.Empty(t, (&PartialError{}).Unwrap())
}
