package fifo_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/fifo"
)

// The model is a slice.
func TestLine(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var line fifo.Line[int]
		var model, gone []*fifo.Place[int]
		for i := range 300 {
			switch n := random.IntN(5); {
			case n < 2:
				model = append(model, line.Push(i))
			case n < 4 && len(model) > 0:
				at := random.IntN(len(model))
				require.True(t, line.Remove(model[at]))
				gone = append(gone, model[at])
				model = slices.Delete(model, at, at+1)
			case len(gone) > 0:
				require.False(t, line.Remove(gone[random.IntN(len(gone))]))
			}
			require.Equal(t, len(model), line.Len())
			if len(model) == 0 {
				require.Nil(t, line.First())
			} else {
				require.Same(t, model[0], line.First())
			}
		}
		for _, p := range model {
			require.Same(t, p, line.First())
			require.True(t, line.Remove(line.First()))
		}
		require.Nil(t, line.First())
	}
}
