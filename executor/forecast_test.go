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

// The prediction is made longer by the budget that takes longest, and is no lower bound then. One that is as long as
// predicted, or less, changes nothing.
func TestForeseeBudgets(t *testing.T) {
	costing := func(mean, rate, burst float64) budget {
		return budget{spent: &spending{calls: callsToTell, amount: mean * callsToTell}, rate: rate, burst: burst}
	}
	for name, c := range map[string]struct {
		budgets []budget
		want    time.Duration
		atBest  bool
	}{
		"none":            {nil, 10 * time.Second, true},
		"not known":       {[]budget{{spent: new(spending), rate: 1}}, 10 * time.Second, true},
		"less":            {[]budget{costing(1, 11, 0)}, 10 * time.Second, true},
		"the same":        {[]budget{costing(1, 8, 20)}, 10 * time.Second, true},
		"longer":          {[]budget{costing(1, 8, 12)}, 11 * time.Second, false},
		"with a burst":    {[]budget{costing(1, 5, 60)}, 10 * time.Second, true},
		"the longest":     {[]budget{costing(1, 5, 0), costing(4, 10, 0), costing(1, 4, 0)}, 40 * time.Second, false},
		"the last of two": {[]budget{costing(1, 20, 0), costing(1, 5, 0)}, 20 * time.Second, false},
	} {
		p := wired(Config{budgets: c.budgets}, 100)
		p.planner.plan.PredictedDuration, p.planner.plan.AtBest = 10*time.Second, true
		p.planner.foreseeBudgets()
		require.Equal(t, c.want, p.planner.plan.PredictedDuration, name)
		require.Equal(t, c.atBest, p.planner.plan.AtBest, name)
	}
}

// The speedup is revised with the time, if there was one.
func TestTheSpeedupFollowsThePrediction(t *testing.T) {
	for before, want := range map[time.Duration]float64{0: 8, 1: 2e-9, 2 * time.Second: 4, 4 * time.Second: 8, 8 * time.Second: 16} {
		p := wired(Config{}, 1000)
		p.planner.plan.PredictedDuration, p.planner.plan.PredictedSpeedup, p.planner.forecast = before, 8, forecast{bounded: true}
		p.planner.foresee(achieved{after: time.Second, items: 250, inFlight: 10, bounded: true})
		require.Equal(t, 4*time.Second, p.planner.plan.PredictedDuration)
		require.InEpsilon(t, want, p.planner.plan.PredictedSpeedup, 1e-9, before)
	}
}

// The ramp is simulated again if calls take more than a tenth longer than known, or vary by more than a twentieth more.
func TestTheRampIsForeseenAgain(t *testing.T) {
	for name, c := range map[string]struct {
		base      time.Duration
		variation float64
		again     bool
	}{
		"as known":           {100 * time.Millisecond, 0, false},
		"a tenth longer":     {110 * time.Millisecond, 0, false},
		"a little more":      {110*time.Millisecond + 1, 0, true},
		"they vary a little": {100 * time.Millisecond, 0.05, false},
		"and a little more":  {100 * time.Millisecond, 0.0500001, true},
		"it is not known":    {0, 1, false},
	} {
		p := wired(Config{}, 1000)
		p.planner.revised = true
		p.planner.plan.Sample = waitingSample
		p.planner.plan.Sample.ItemNanos, p.planner.plan.Sample.CV = 1e8, 0
		p.planner.plan.Host.Procs = 2
		p.planner.foreseeGrowth(waitingCalls{base: c.base, variation: c.variation})
		now := p.planner.plan.Sample
		require.Equal(t, c.again, now.ItemNanos != 1e8 || now.CV > 0, name)
		if c.again {
			require.Equal(t, []float64{float64(c.base), c.variation}, []float64{now.ItemNanos, now.CV}, name)
		}
	}
}
