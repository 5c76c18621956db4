package executor

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every item is handed out once and again only after it was given back.
func FuzzClaims(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(4))
	f.Fuzz(func(t *testing.T, seed uint64, total uint16, first uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		var c claims
		lo := min(int(first), int(total))
		c.start(lo, int(total))
		held := make([]bool, total) // the model: who holds what
		done := make([]bool, total)
		var mine []span
		for range 2000 {
			if len(mine) > 0 && random.IntN(3) == 0 { // run some of it, hand back the rest
				k := random.IntN(len(mine))
				s := mine[k]
				mine = append(mine[:k], mine[k+1:]...)
				cut := s.lo + random.IntN(s.hi-s.lo+1)
				for i := s.lo; i < s.hi; i++ {
					held[i], done[i] = false, i < cut
				}
				c.giveBack(span{cut, s.hi})
				continue
			}
			s, ok := c.take(1 + random.IntN(20))
			if !ok {
				for i := lo; i < int(total); i++ {
					require.True(t, held[i] || done[i], "item %d was never handed out", i)
				}
				require.Zero(t, c.left())
				continue
			}
			require.Less(t, s.lo, s.hi)
			for i := s.lo; i < s.hi; i++ {
				require.False(t, held[i] || done[i], "item %d was handed out twice", i)
				held[i] = true
			}
			mine = append(mine, s)
		}
		left := 0
		for _, s := range c.unclaimed() {
			for i := s.lo; i < s.hi; i++ {
				require.False(t, held[i] || done[i])
				left++
			}
		}
		require.Equal(t, c.left(), left)
	})
}

func TestClaimsConcurrently(t *testing.T) {
	const total = 100_000
	var c claims
	c.start(0, total)
	runs := make([]int32, total)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for {
				s, ok := c.take(1 + random.IntN(50))
				if !ok {
					return
				}
				cut := s.hi
				if random.IntN(10) == 0 {
					cut = s.lo + (s.hi-s.lo)/2
				}
				for i := s.lo; i < cut; i++ {
					runs[i]++
				}
				c.giveBack(span{cut, s.hi})
			}
		})
	}
	group.Wait()
	for c.left() > 0 { // given back by the last one
		s, _ := c.take(total)
		for i := s.lo; i < s.hi; i++ {
			runs[i]++
		}
	}
	for i, n := range runs {
		require.Equal(t, int32(1), n, "item %d", i)
	}
}
