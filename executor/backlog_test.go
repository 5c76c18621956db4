package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Of an empty backlog there is nothing to drop, and it takes notices as before.
func TestTrimOfAnEmptyBacklog(t *testing.T) {
	var b backlog
	b.trim()
	_, ok := b.next()
	require.False(t, ok)
	for range 9 { // more than its first room
		b.add(notice{event: Event{Kind: ChunkDone}})
	}
	require.Equal(t, 9, b.len())
	for i := range 9 {
		n, ok := b.next()
		require.True(t, ok)
		require.Equal(t, i+1, n.number)
	}
	require.Zero(t, b.len())
}
