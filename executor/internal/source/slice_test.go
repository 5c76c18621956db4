package source

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every item is handed out once and again only after it was given back.
func FuzzSlice(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(4))
	f.Fuzz(func(t *testing.T, seed uint64, total uint16, first uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		lo := min(int(first), int(total))
		c := NewSlice(lo, int(total))
		held := make([]bool, total) // the model: who holds what
		done := make([]bool, total)
		var mine []Span
		for range 2000 {
			if len(mine) > 0 && random.IntN(3) == 0 { // run some of it, hand back the rest
				k := random.IntN(len(mine))
				s := mine[k]
				mine = append(mine[:k], mine[k+1:]...)
				cut := s.Lo + random.IntN(s.Hi-s.Lo+1)
				for i := s.Lo; i < s.Hi; i++ {
					held[i], done[i] = false, i < cut
				}
				c.Return(Span{cut, s.Hi})
				continue
			}
			s, _, ok := c.Take(1+random.IntN(20), 1)
			if !ok {
				for i := lo; i < int(total); i++ {
					require.True(t, held[i] || done[i], "item %d was never handed out", i)
				}
				require.Zero(t, c.Left())
				continue
			}
			require.Less(t, s.Lo, s.Hi)
			for i := s.Lo; i < s.Hi; i++ {
				require.False(t, held[i] || done[i], "item %d was handed out twice", i)
				held[i] = true
			}
			mine = append(mine, s)
		}
		left := 0
		for _, s := range c.Rest() {
			for i := s.Lo; i < s.Hi; i++ {
				require.False(t, held[i] || done[i])
				left++
			}
		}
		require.Equal(t, c.Left(), left)
	})
}

func TestSliceConcurrently(t *testing.T) {
	const total = 100_000
	c := NewSlice(0, total)
	runs := make([]int32, total)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for {
				s, _, ok := c.Take(1+random.IntN(50), 1)
				if !ok {
					return
				}
				cut := s.Hi
				if random.IntN(10) == 0 {
					cut = s.Lo + (s.Hi-s.Lo)/2
				}
				for i := s.Lo; i < cut; i++ {
					runs[i]++
				}
				c.Return(Span{cut, s.Hi})
			}
		})
	}
	group.Wait()
	for c.Left() > 0 { // given back by the last one
		s, _, _ := c.Take(total, 1)
		for i := s.Lo; i < s.Hi; i++ {
			runs[i]++
		}
	}
	for i, n := range runs {
		require.Equal(t, int32(1), n, "item %d", i)
	}
}

func TestSlice(t *testing.T) {
	c := NewSlice(2, 10)
	take := func(size int, want Span, left int) {
		t.Helper()
		s, _, ok := c.Take(size, 1)
		require.True(t, ok)
		require.Equal(t, want, s)
		require.Equal(t, left, c.Left())
	}
	take(3, Span{2, 5}, 5)
	c.Return(Span{5, 5}) // nothing
	require.Zero(t, c.items.Load())
	c.Return(Span{2, 5})
	c.Return(Span{0, 1})
	require.Equal(t, 9, c.Left())
	take(3, Span{0, 1}, 8)
	take(2, Span{2, 4}, 6)
	require.Equal(t, []Span{{4, 5}, {5, 10}}, c.Rest())
	take(1, Span{4, 5}, 5)
	take(math.MaxInt, Span{5, 10}, 0)
	_, _, ok := c.Take(1, 1)
	require.False(t, ok)
	require.EqualValues(t, 15, c.next.Load(), "the counter does not run away")
	require.Empty(t, c.Rest())
	c.Return(Span{7, 9})
	take(1, Span{7, 8}, 1)
	take(1, Span{8, 9}, 0)
	c.items.Store(1) // of which another worker has just taken the last
	_, _, ok = c.Take(1, 1)
	require.False(t, ok)
	c.items.Store(0)

	c = NewSlice(3, 4)
	there, more := c.look()
	require.Equal(t, []bool{true, false}, []bool{there, more}, "one is there, and none will come")
	require.Equal(t, []Span{{3, 4}}, c.Rest())
	c = NewSlice(4, 4)
	require.Empty(t, c.Rest())
	_, _, ok = c.Take(1, 1)
	require.False(t, ok)
	require.EqualValues(t, 4, c.next.Load())
}
