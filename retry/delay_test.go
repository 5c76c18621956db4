package retry

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func valid(t *testing.T, p Policy) *Policy {
	t.Helper()
	p, err := p.validate()
	require.NoError(t, err)
	return &p
}

// Cases RT-01 to RT-10 of the Python system.
func TestDelays(t *testing.T) {
	p := valid(t, Policy{})
	assert.Equal(t, 3, p.MaxRetries)
	assert.Equal(t, 100*time.Millisecond, p.InitialDelay)
	assert.Equal(t, time.Minute, p.MaxDelay)
	assert.EqualValues(t, 2, p.Multiplier)
	assert.Equal(t, JitterEqual, p.Jitter)

	p = valid(t, Policy{Jitter: JitterNone})
	for i, want := range []time.Duration{100, 200, 400, 800, 1600} {
		assert.Equal(t, want*time.Millisecond, p.delay(i+1, 0))
	}
	assert.Equal(t, time.Minute, p.delay(1_000_000, 0))
	assert.Equal(t, time.Minute, p.delay(math.MaxInt, 0))
	p = valid(t, Policy{Jitter: JitterNone, Multiplier: 1})
	assert.Equal(t, p.InitialDelay, p.delay(3, 0))

	for jitter, bounds := range map[Jitter][2]time.Duration{
		JitterEqual: {1500, 2500}, JitterFull: {0, 2000}, JitterDecorrelated: {1000, 6000},
	} {
		p := valid(t, Policy{InitialDelay: time.Second, Jitter: jitter})
		seen := map[time.Duration]bool{}
		for range 1000 {
			d := p.delay(2, 2*time.Second)
			require.GreaterOrEqual(t, d, bounds[0]*time.Millisecond)
			require.LessOrEqual(t, d, bounds[1]*time.Millisecond)
			seen[d] = true
		}
		assert.Greater(t, len(seen), 100)
	}
}

// The ends of the range: as short as JitterFull allows, and as long as a duration may be.
func TestShortestAndLongestDelay(t *testing.T) {
	require.Zero(t, valid(t, Policy{InitialDelay: 1, Jitter: JitterFull}).delay(1, 1))
	longest := valid(t, Policy{MaxDelay: math.MaxInt64, Jitter: JitterNone})
	require.Equal(t, time.Duration(math.MaxInt64), longest.delay(1000, 0))
}

// A decorrelated delay knows the one before, and not how many there were.
func TestDecorrelatedDelays(t *testing.T) {
	p := valid(t, Policy{InitialDelay: time.Second, Jitter: JitterDecorrelated})
	for _, n := range []int{1, 2, 1000} {
		var longest time.Duration
		for range 1000 {
			d := p.delay(n, 2*time.Second)
			require.GreaterOrEqual(t, d, time.Second)
			require.LessOrEqual(t, d, 6*time.Second)
			longest = max(longest, d)
		}
		require.Greater(t, longest, 5*time.Second)
	}
}

// Calls of a long outage are all at the cap: they must not come back together.
func TestJitterAtTheCap(t *testing.T) {
	for jitter, least := range map[Jitter]time.Duration{JitterEqual: 45 * time.Second, JitterFull: 0, JitterDecorrelated: time.Second} {
		p := valid(t, Policy{InitialDelay: time.Second, Jitter: jitter})
		seen := map[time.Duration]bool{}
		for range 1000 {
			d := p.delay(100, time.Minute)
			require.GreaterOrEqual(t, d, least)
			require.LessOrEqual(t, d, time.Minute)
			seen[d] = true
		}
		assert.Greater(t, len(seen), 900, "jitter %d", jitter)
	}
}

// What is asked for is never cut short, and spread above.
func TestAsked(t *testing.T) {
	p := valid(t, Policy{})
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := p.asked(30 * time.Second)
		require.GreaterOrEqual(t, d, 30*time.Second)
		require.LessOrEqual(t, d, 33*time.Second)
		seen[d] = true
		require.GreaterOrEqual(t, p.asked(59*time.Second), 59*time.Second)
		require.LessOrEqual(t, p.asked(59*time.Second), time.Minute, "nor beyond the cap")
	}
	assert.Greater(t, len(seen), 900)
	assert.Equal(t, time.Minute, p.asked(time.Minute))
	p = valid(t, Policy{Jitter: JitterNone, MaxDelay: math.MaxInt64})
	assert.Equal(t, time.Hour, p.asked(time.Hour))
	p.Jitter = JitterEqual
	assert.Positive(t, p.asked(math.MaxInt64-1))
}

func TestBadPolicies(t *testing.T) {
	for field, p := range map[string]Policy{
		"MaxRetries = -2":       {MaxRetries: -2},
		"InitialDelay = -1s":    {InitialDelay: -time.Second},
		"MaxDelay = -1s":        {MaxDelay: -time.Second},
		"MaxDelay = 500ms":      {InitialDelay: time.Second, MaxDelay: 500 * time.Millisecond},
		"Multiplier = 0.5":      {Multiplier: 0.5},
		"Multiplier = NaN":      {Multiplier: math.NaN()},
		"Multiplier = +Inf":     {Multiplier: math.Inf(1)},
		"Jitter = 4":            {Jitter: 4},
		"AttemptTimeout = -1ns": {AttemptTimeout: -1},
		"MaxElapsed = -1ns":     {MaxElapsed: -1},
	} {
		_, err := New(p)
		require.ErrorIs(t, err, ErrInvalid, field)
		assert.ErrorContains(t, err, field)
		assert.Panics(t, func() { MustNew(p) })
	}
	for field, p := range map[string]BudgetPolicy{
		"Ratio = -1": {Ratio: -1}, "PerSecond = NaN": {PerSecond: math.NaN()}, "Most = 0.5": {Most: 0.5},
	} {
		_, err := NewBudget(p)
		require.ErrorIs(t, err, ErrInvalid, field)
		assert.ErrorContains(t, err, field)
		assert.Panics(t, func() { MustNewBudget(p) })
	}
	assert.Equal(t, time.Millisecond, valid(t, Policy{MaxDelay: time.Millisecond}).InitialDelay, "the default gives way")
}

// No delay exceeds the cap or falls below what the jitter allows, whatever the settings.
func FuzzDelay(f *testing.F) {
	f.Add(int64(1e8), int64(6e10), 2.0, uint8(0), 1_000_000, int64(5))
	f.Add(int64(1), int64(math.MaxInt64), math.MaxFloat64, uint8(2), 3, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, first, most int64, multiplier float64, jitter uint8, n int, last int64) {
		p, err := Policy{InitialDelay: time.Duration(first), MaxDelay: time.Duration(most), Multiplier: multiplier, Jitter: Jitter(jitter % 4)}.validate()
		if err != nil || n < 1 {
			t.Skip("no policy, or no attempt")
		}
		d := p.delay(n, min(max(time.Duration(last), p.InitialDelay), p.MaxDelay))
		require.LessOrEqual(t, d, p.MaxDelay)
		least := map[Jitter]float64{JitterEqual: 0.75, JitterNone: 1, JitterDecorrelated: 1}[p.Jitter]
		require.GreaterOrEqual(t, float64(d)+1, least*float64(p.InitialDelay)*0.999999)
	})
}
