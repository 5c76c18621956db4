package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStory(t *testing.T) {
	var s story
	s.add(Moment{At: 10, Rate: 5, Latency: 3})
	s.add(Moment{At: 12, Bound: BoundByService})
	require.Equal(t, Moment{At: 12, Rate: 5, Latency: 3, Bound: BoundByService}, s.last, "what was not measured anew is as before")
	require.EqualValues(t, 10, s.began)
	s.add(Moment{At: 15, Rate: 0.5, Bound: BoundByCores})
	require.InDelta(t, 0.5, s.last.Rate, 0)
	s.add(Moment{At: 14, Bound: BoundByCaller}) // overtaken
	s.add(Moment{At: 15, Bound: BoundByCores})
	s.add(Moment{At: 17, Bound: BoundByService})
	s.add(Moment{At: 18})
	require.Equal(t, map[Bound]time.Duration{BoundByService: 4, BoundByCores: 2}, s.bounds)
	require.Len(t, s.moments, 6)
	require.Equal(t, BoundByService, s.bound())
	s.bounds[BoundByItems] = 4
	require.Equal(t, BoundByItems, s.bound(), "of those that bound it for as long, the items")
	require.Equal(t, BoundByItems, new(story).bound())
}

// A long story is told with half of its moments, and then at half the pace.
func TestLongStory(t *testing.T) {
	var s story
	for at := range maxMoments - 1 {
		s.add(Moment{At: time.Duration(at)})
	}
	require.Len(t, s.moments, maxMoments-1)
	s.add(Moment{At: maxMoments - 1})
	require.Len(t, s.moments, maxMoments/2)
	for i, m := range s.moments {
		require.EqualValues(t, 2*i+1, m.At)
	}
	s.add(Moment{At: 2 * maxMoments})
	require.Len(t, s.moments, maxMoments/2+1)
	s.every = 10
	s.add(Moment{At: 2*maxMoments + 9})
	require.Len(t, s.moments, maxMoments/2+1)
	require.EqualValues(t, 2*maxMoments+9, s.last.At)
	s.add(Moment{At: 2*maxMoments + 10})
	require.Len(t, s.moments, maxMoments/2+2)
	long := story{moments: make([]Moment, maxMoments-1)}
	long.add(Moment{At: 3 * maxMoments})
	require.EqualValues(t, 6, long.every)
}
