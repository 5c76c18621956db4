package executor

import (
	"math"
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

func TestClaims(t *testing.T) {
	var c claims
	c.start(2, 10)
	take := func(size int, want span, left int) {
		t.Helper()
		s, ok := c.take(size)
		require.True(t, ok)
		require.Equal(t, want, s)
		require.Equal(t, left, c.left())
	}
	take(3, span{2, 5}, 5)
	c.giveBack(span{5, 5}) // nothing
	require.Zero(t, c.returns.Load())
	c.giveBack(span{2, 5})
	c.giveBack(span{0, 1})
	require.Equal(t, 9, c.left())
	take(3, span{0, 1}, 8)
	take(2, span{2, 4}, 6)
	require.Equal(t, []span{{4, 5}, {5, 10}}, c.unclaimed())
	take(1, span{4, 5}, 5)
	take(math.MaxInt, span{5, 10}, 0)
	_, ok := c.take(1)
	require.False(t, ok)
	require.EqualValues(t, 15, c.next.Load(), "the counter does not run away")
	require.Empty(t, c.unclaimed())
	c.giveBack(span{7, 9})
	take(1, span{7, 8}, 1)
	take(1, span{8, 9}, 0)
	c.returns.Store(1) // of which another worker has just taken the last
	_, ok = c.take(1)
	require.False(t, ok)
	c.returns.Store(0)

	c.start(3, 4)
	require.Equal(t, []span{{3, 4}}, c.unclaimed())
	c.start(4, 4)
	require.Empty(t, c.unclaimed())
	_, ok = c.take(1)
	require.False(t, ok)
	require.EqualValues(t, 4, c.next.Load())
}
