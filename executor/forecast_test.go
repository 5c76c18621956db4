package executor

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is done at a steady pace is predicted to go on so; nothing is predicted on
// little, while nothing bounds the calls, or when half is done.
func TestForecast(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 5))
		inFlight, latency := 1+random.IntN(200), time.Duration(1+random.IntN(int(time.Second)))
		rate := float64(inFlight) / latency.Seconds()
		total := 10 + random.IntN(100*inFlight)
		from := time.Duration(random.Int64N(int64(3 * latency))) // bounded from here on
		var f forecast
		predicted := 0
		for now := time.Duration(0); ; now += 1 + time.Duration(random.Int64N(int64(latency))) {
			done := int(rate * now.Seconds())
			if done >= total {
				break
			}
			took := f.next(achieved{now, done, inFlight, latency, now >= from}, total)
			if took == 0 {
				continue
			}
			predicted++
			require.Less(t, 2*done, total, "hindsight")
			require.GreaterOrEqual(t, now, from+forecastRounds*latency)
			require.InEpsilon(t, float64(total)/rate, took.Seconds(), 0.1)
		}
		if half := float64(total) / rate / 2; half > (from+8*latency).Seconds() && total > 4*forecastItems {
			require.Positive(t, predicted, "seed %d", seed)
		}
	}
}

// What has been achieved since something bounds the calls is taken to go on.
func TestForecastNext(t *testing.T) {
	const latency = 10 * time.Millisecond
	from := forecast{bounded: true, since: time.Second, done: 100}
	next := func(now time.Duration, done, total, inFlight int) (time.Duration, forecast) {
		f := from
		return f.next(achieved{now, done, inFlight, latency, true}, total), f
	}
	took, f := next(1040*time.Millisecond, 140, 1000, 10)
	require.Equal(t, 1040*time.Millisecond+860*time.Millisecond, took, "one item a millisecond")
	require.Equal(t, forecast{bounded: true, since: 1040 * time.Millisecond, done: 140}, f)
	for name, c := range map[string]struct {
		now                   time.Duration
		done, total, inFlight int
		known                 bool
	}{
		"four rounds by time":  {1040 * time.Millisecond, 140, 1000, 10, true},
		"not quite":            {1040*time.Millisecond - 1, 140, 1000, 10, false},
		"nor by number":        {1040 * time.Millisecond, 139, 1000, 10, false},
		"the least":            {1040 * time.Millisecond, 124, 1000, 1, true},
		"less than that":       {1040 * time.Millisecond, 123, 1000, 1, false},
		"half of them":         {1040 * time.Millisecond, 140, 280, 10, false},
		"not half of them yet": {1040 * time.Millisecond, 140, 281, 10, true},
	} {
		took, f := next(c.now, c.done, c.total, c.inFlight)
		require.Equal(t, c.known, took > 0, name)
		require.Equal(t, c.known, f != from, name)
	}
	instantly := from
	require.Zero(t, instantly.next(achieved{time.Second, 200, 1, 0, true}, 1000), "in no time at all")
	require.Positive(t, instantly.next(achieved{time.Second + 1, 200, 1, 0, true}, 1000))
	slow := from
	require.Equal(t, 100*time.Hour+1<<62, slow.next(achieved{100 * time.Hour, 124, 1, latency, true}, math.MaxInt32))

	// It begins anew where nothing bounded the calls, does no more, or items are counted anew.
	for _, c := range []struct {
		before forecast
		done   int
		now    bool
	}{{forecast{}, 500, true}, {from, 500, false}, {from, 99, true}} {
		f := c.before
		require.Zero(t, f.next(achieved{2 * time.Second, c.done, 1, latency, c.now}, 10_000))
		require.Equal(t, forecast{bounded: c.now, since: 2 * time.Second, done: c.done}, f)
	}
	same := from
	require.Zero(t, same.next(achieved{2 * time.Second, 100, 1, latency, true}, 10_000))
	require.Equal(t, from, same, "nothing has ended")
}
