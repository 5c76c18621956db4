package executor

import (
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
			took := f.next(now, done, total, inFlight, latency, now >= from)
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
