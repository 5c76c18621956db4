package executor_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// purse is a policy with an amount for each key, of which a call may begin when what it may
// cost is there.
type purse struct {
	mu    sync.Mutex
	left  map[string]float64
	waits int // calls that had to
}

func (p *purse) WouldTake(key string, n float64) (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left[key] < n {
		return time.Hour, nil
	}
	return 0, nil
}

func (p *purse) DoCost(ctx context.Context, key string, estimated float64, call func(context.Context) (float64, error)) error {
	p.mu.Lock()
	if p.left[key] < estimated {
		p.waits++
	}
	p.left[key] -= estimated
	p.mu.Unlock()
	actual, err := call(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[key] += estimated - actual
	return err
}

// A call that has cost less than was thought lets the next one of its key begin as it ends, and
// none waits in the policy.
func TestCostByKeyAsCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &purse{left: map[string]float64{"a": 100, "b": 100}}
		policy := executor.CostByKey(p, func(n int) string { return map[bool]string{true: "a", false: "b"}[n%2 == 0] },
			func(int) float64 { return 100 }, func(int, error) float64 { return 0 })
		items := make([]int, 20)
		for i := range items {
			items[i] = i
		}
		began := time.Now()
		out, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(_ context.Context, n int) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return n, nil
		}}, items, executor.Config{Workers: 4, Policies: []executor.Policy{policy}})
		require.NoError(t, err)
		require.Equal(t, items, out)
		require.Equal(t, time.Second, time.Since(began), "ten of each, one after the other")
		require.Zero(t, p.waits)
	})
}

// An item whose call fails, panics on the way, or is refused, counts as ended all the same.
func TestByKeyAsCallsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &purse{left: map[string]float64{"a": 100}}
		policy := executor.CostByKey(p, func(int) string { return "a" }, func(int) float64 { return 100 }, func(int, error) float64 { return 0 })
		began := time.Now()
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(_ context.Context, n int) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return 0, context.DeadlineExceeded
		}}, make([]int, 10), executor.Config{Workers: 4, Errors: executor.Collect, Policies: []executor.Policy{policy}})
		var all *executor.Errors
		require.ErrorAs(t, err, &all)
		require.Len(t, all.Unwrap(), 10)
		require.Equal(t, time.Second, time.Since(began))
	})
}
