package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The first decisions are kept.
func TestRecordNotes(t *testing.T) {
	r := record{start: 7}
	for i := range MaxChanges + 1 {
		require.Equal(t, &Change{At: 3, Workers: i, Reason: "so"}, r.note(10, i, "so"))
	}
	require.Len(t, r.changes, MaxChanges)
	require.Equal(t, MaxChanges-1, r.changes[MaxChanges-1].Workers)
}
