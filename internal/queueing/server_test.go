package queueing_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/queueing"
)

const ms = time.Millisecond

// run lets everything happen until a time, and returns when each call ended, and how.
func run(s *queueing.Server, until time.Duration) (at map[int]time.Duration, errs map[int]error) {
	at, errs = map[int]time.Duration{}, map[int]error{}
	for next, ok := s.Next(); ok && next <= until; next, ok = s.Next() {
		for _, reply := range s.Advance(next) {
			at[reply.Call], errs[reply.Call] = next, reply.Err
		}
	}
	return at, errs
}

// Two slots, five calls at once: two by two, in the order in which they came.
func TestSlots(t *testing.T) {
	s := queueing.New(queueing.Conditions{Slots: 2, Latency: queueing.Constant(10 * ms), Network: ms}, 1)
	for i := range 5 {
		require.Equal(t, i, s.Arrive(0))
	}
	require.Equal(t, 3, s.Waiting())
	at, errs := run(s, time.Hour)
	require.Equal(t, map[int]time.Duration{0: 11 * ms, 1: 11 * ms, 2: 21 * ms, 3: 21 * ms, 4: 31 * ms}, at)
	for _, err := range errs {
		require.NoError(t, err)
	}
	_, ok := s.Next()
	require.False(t, ok)
}

// No limit: all at once.
func TestNoLimit(t *testing.T) {
	s := queueing.New(queueing.Conditions{Latency: queueing.Constant(10 * ms)}, 1)
	for range 100 {
		s.Arrive(0)
	}
	at, _ := run(s, time.Hour)
	require.Len(t, at, 100)
	for _, end := range at {
		require.Equal(t, 10*ms, end)
	}
}

// The longer the line, the slower: by the calls that wait as one begins.
func TestCongestion(t *testing.T) {
	s := queueing.New(queueing.Conditions{Slots: 1, Latency: queueing.Constant(10 * ms), Congestion: 0.5}, 1)
	for range 3 {
		s.Arrive(0)
	}
	at, _ := run(s, time.Hour)
	require.Equal(t, map[int]time.Duration{0: 10 * ms, 1: 25 * ms, 2: 35 * ms}, at)
}

// Beyond the line calls are refused; a negative one has nobody wait.
func TestLine(t *testing.T) {
	for line, waits := range map[int]int{2: 2, -1: 0} {
		s := queueing.New(queueing.Conditions{Slots: 1, Line: line, Latency: queueing.Constant(10 * ms), Refusal: ms}, 1)
		for range 5 {
			s.Arrive(0)
		}
		require.Equal(t, waits, s.Waiting())
		at, errs := run(s, time.Hour)
		for call := range 5 {
			if call <= waits {
				require.NoError(t, errs[call])
				continue
			}
			var refused *queueing.RefusedError
			require.ErrorAs(t, errs[call], &refused)
			require.Equal(t, 503, refused.StatusCode())
			require.Zero(t, refused.RetryAfter())
			require.Equal(t, ms, at[call])
			require.EqualError(t, refused, "503 overloaded")
		}
	}
}

// Above the rate calls are refused, and told when to come back if that is wanted.
func TestRate(t *testing.T) {
	s := queueing.New(queueing.Conditions{Rate: 10, Burst: 2, RetryAfter: true}, 1)
	for range 3 {
		s.Arrive(0)
	}
	s.Arrive(100*ms + 1)
	_, errs := run(s, time.Hour)
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.NoError(t, errs[3])
	var refused *queueing.RefusedError
	require.ErrorAs(t, errs[2], &refused)
	require.Equal(t, 429, refused.StatusCode())
	require.Equal(t, 100*ms+1, refused.RetryAfter())
	require.EqualError(t, refused, "429 too many requests, retry after 100.000001ms")
}

// Down, calls are refused or get no answer until it is up again.
func TestOutage(t *testing.T) {
	up := queueing.Conditions{Latency: queueing.Constant(10 * ms), Refusal: ms}
	refusing, hanging := up, up
	refusing.Outage, hanging.Outage = queueing.Refusing, queueing.Hanging
	s := queueing.New(up, 1)
	s.Arrive(0)
	s.Change(ms, refusing)
	s.Arrive(2 * ms)
	s.Change(3*ms, hanging)
	s.Arrive(4 * ms)
	at, errs := run(s, 50*ms)
	require.Equal(t, map[int]time.Duration{0: 10 * ms, 1: 3 * ms}, at, "what was served ends as it would have")
	require.NoError(t, errs[0])
	var refused *queueing.RefusedError
	require.ErrorAs(t, errs[1], &refused)
	require.Zero(t, refused.StatusCode(), "no connection")
	s.Change(100*ms, up)
	s.Arrive(100 * ms)
	at, errs = run(s, time.Hour)
	require.Equal(t, map[int]time.Duration{2: 101 * ms, 3: 110 * ms}, at)
	require.Error(t, errs[2])
	require.NoError(t, errs[3])
}

// A caller who has gone leaves the line, but not a slot.
func TestLeave(t *testing.T) {
	s := queueing.New(queueing.Conditions{Slots: 1, Latency: queueing.Constant(10 * ms)}, 1)
	for range 3 {
		s.Arrive(0)
	}
	s.Leave(0) // being served
	s.Leave(1) // in the line
	at, _ := run(s, time.Hour)
	require.Equal(t, map[int]time.Duration{2: 20 * ms}, at)
}

// More slots are used at once.
func TestMoreSlots(t *testing.T) {
	c := queueing.Conditions{Slots: 1, Latency: queueing.Constant(10 * ms)}
	s := queueing.New(c, 1)
	for range 3 {
		s.Arrive(0)
	}
	c.Slots = 3
	s.Change(ms, c)
	at, _ := run(s, time.Hour)
	require.Equal(t, map[int]time.Duration{0: 10 * ms, 1: 11 * ms, 2: 11 * ms}, at)
}

// The laws have the means that they are named by, and the spread.
func TestLaws(t *testing.T) {
	for name, c := range map[string]struct {
		law      queueing.Law
		mean, cv float64
	}{
		"constant":    {queueing.Constant(10 * ms), 10, 0},
		"exponential": {queueing.Exponential(10 * ms), 10, 1},
		"lognormal":   {queueing.Lognormal(10*ms, 0.5), 10, math.Sqrt(math.Exp(0.25) - 1)},
		"mixture":     {queueing.Mixture(queueing.Constant(5*ms), queueing.Constant(30*ms), 0.2), 10, 1},
	} {
		random := rand.New(rand.NewPCG(1, 1))
		const n = 200_000
		sum, squares := 0.0, 0.0
		for range n {
			took := c.law(random).Seconds() * 1e3
			sum, squares = sum+took, squares+took*took
		}
		mean := sum / n
		require.InDelta(t, c.mean, mean, 0.1, name)
		require.InDelta(t, c.cv, math.Sqrt(max(0, squares/n-mean*mean))/mean, 0.02, name)
	}
}
