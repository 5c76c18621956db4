package circuitbreaker

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The window against a list of calls, with time that passes in any steps.
func TestWindowModel(t *testing.T) {
	type call struct {
		step int
		tally
	}
	const began = 5*time.Hour + 37*time.Millisecond
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w, now := newWindow(time.Second, began), began
		var calls []call
		for range 100 {
			now += time.Duration(random.IntN(4)*random.IntN(400)) * time.Millisecond
			step := int((now - began) / (100 * time.Millisecond))
			sum := func() (sum tally) {
				for _, c := range calls {
					if step-c.step < windowSteps {
						sum.add(c.tally)
					}
				}
				return sum
			}
			require.Equal(t, sum(), w.total(now))
			c := call{step, tally{1, random.IntN(2), random.IntN(2)}}
			if c.failures+c.slow > 0 || !w.success(now) {
				w.count(now, c.tally)
			}
			calls = append(calls, c)
			require.Equal(t, sum(), w.total(now))
		}
	}
}

// Successes are counted without the lock, and none is lost.
func TestSuccessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: math.MaxInt, FailureRate: 0.5, MinimumCalls: math.MaxInt})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 5000 {
					assert.NoError(t, b.Do(t.Context(), working))
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 80_000, b.Counts().WindowCalls)
	})
}

// A success of a term that is over counts for nothing, with the lock or without.
func TestSuccessOfAnotherTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, FailureRate: 1})
		for range 2 {
			require.NoError(t, b.Do(t.Context(), working))
		}
		require.NoError(t, b.Do(t.Context(), func(ctx context.Context) error {
			require.Error(t, b.Do(ctx, failing))
			b.Reset()
			return nil
		}))
		assert.Zero(t, b.Counts().WindowCalls)
	})
}
