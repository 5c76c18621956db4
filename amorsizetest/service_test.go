package amorsizetest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/amorsizetest"
)

// at makes so many calls at once and returns how long each took.
func at(ctx context.Context, s *amorsizetest.Service, calls int) (took []time.Duration, errs []error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			start := time.Now()
			err := s.Call(ctx)
			mu.Lock()
			defer mu.Unlock()
			took, errs = append(took, time.Since(start)), append(errs, err)
		})
	}
	group.Wait()
	return took, errs
}

func TestSlotsServeInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Slots: 2, Latency: amorsizetest.Constant(10 * ms), Network: 5 * ms}, 1)
		took, _ := at(t.Context(), s, 5)
		require.Equal(t, []time.Duration{15 * ms, 15 * ms, 25 * ms, 25 * ms, 35 * ms}, took)
		require.Equal(t, 5, s.Timeline().MostInFlight())
		require.InDelta(t, (15+15+25+25+35)/35.0, s.Timeline().MeanInFlight(), 1e-9)
		require.Equal(t, 25*ms, s.Timeline().Latency(0.5))
		require.Equal(t, 35*ms, s.Timeline().Latency(1))
		require.Equal(t, 1, s.Timeline().Between(30*ms, time.Second).Succeeded())
	})
}

func TestCongestionSlowsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Slots: 1, Latency: amorsizetest.Constant(10 * ms), Congestion: 1}, 1)
		took, _ := at(t.Context(), s, 1)
		require.Equal(t, []time.Duration{10 * ms}, took)
		took, _ = at(t.Context(), s, 3) // one alone as it arrives, one with another waiting, one alone
		require.Equal(t, []time.Duration{10 * ms, 30 * ms, 40 * ms}, took)
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Slots: 1, Latency: amorsizetest.Constant(10 * ms), Line: 1, Refusal: ms}, 1)
		took, errs := at(t.Context(), s, 3)
		require.Equal(t, []time.Duration{ms, 10 * ms, 20 * ms}, took)
		var refused *amorsizetest.RefusedError
		require.ErrorAs(t, errs[0], &refused)
		require.Equal(t, amorsizetest.Overloaded, refused.Reason)
		require.NoError(t, errs[1])

		s = amorsizetest.New(amorsizetest.Conditions{Rate: 10, Burst: 2, RetryAfter: true}, 1)
		_, errs = at(t.Context(), s, 3) // all end at one instant, in any order
		require.ErrorAs(t, errors.Join(errs...), &refused)
		require.Equal(t, 429, refused.StatusCode())
		require.InDelta(t, 100, refused.RetryAfter().Seconds()*1000, 0.01)
		time.Sleep(refused.RetryAfter())
		require.NoError(t, s.Call(t.Context()), "as it said")
	})
}

func TestOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Outage: amorsizetest.Hanging}, 1)
		s.At(time.Second, amorsizetest.Conditions{Latency: amorsizetest.Constant(ms)})
		took, errs := at(t.Context(), s, 2)
		require.Equal(t, []time.Duration{time.Second, time.Second}, took)
		require.Error(t, errs[0])
		require.NoError(t, s.Call(t.Context()))
		s.At(2*time.Second, amorsizetest.Conditions{Outage: amorsizetest.Refusing})
		time.Sleep(time.Second)
		require.Error(t, s.Call(t.Context()))
	})
}

// A caller that gives up leaves the line; what is being served goes on.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Slots: 1, Latency: amorsizetest.Constant(10 * ms)}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*ms)
		defer cancel()
		_, errs := at(ctx, s, 2)
		require.ErrorIs(t, errs[0], context.DeadlineExceeded)
		took, _ := at(t.Context(), s, 1)
		require.Equal(t, []time.Duration{15 * ms}, took, "behind the one being served, not behind the one that left")
		require.InDelta(t, 2.0/3, s.Timeline().Lost(), 1e-9)
	})
}

func TestLawsHaveTheirMeans(t *testing.T) {
	for name, law := range map[string]amorsizetest.Law{
		"constant": amorsizetest.Constant(10 * ms), "exponential": amorsizetest.Exponential(10 * ms),
		"lognormal": amorsizetest.Lognormal(10*ms, 0.5),
		"mixture":   amorsizetest.Mixture(amorsizetest.Constant(0), amorsizetest.Constant(100*ms), 0.1),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := amorsizetest.New(amorsizetest.Conditions{Latency: law}, 1)
			took, _ := at(t.Context(), s, 20_000)
			sum := 0.0
			for _, d := range took {
				sum += d.Seconds()
			}
			require.InEpsilon(t, 0.010, sum/float64(len(took)), 0.03, name)
		})
	}
}
