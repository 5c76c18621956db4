package ratelimit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// More looks than are kept are merged, and the least that was seen since a mark stays known.
func TestSlacksAreMerged(t *testing.T) {
	var s slacks
	before := s.mark()
	for i := range uint64(3 * mostLows) { // ever higher: none makes an earlier one superfluous
		s.look(uint128{0, 100 + i})
	}
	require.LessOrEqual(t, len(s.low), mostLows)
	require.Equal(t, uint128{0, 100}, s.since(before))
	after := s.mark()
	require.Equal(t, maxUint128, s.since(after), "nothing was seen since")
	s.look(uint128{0, 50})
	require.Equal(t, uint128{0, 50}, s.since(before))
	require.Len(t, s.low, 1, "it is lower than all before it")
}
