package profiling

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// scripted is a subject whose trials take what is written.
type scripted struct {
	model
	trials []Rung
}

func (s *scripted) RunAt(_ context.Context, list []items.Item, workers, batch int) (Rung, error) {
	s.ran = append(s.ran, [2]int{workers, batch})
	r := s.trials[0]
	s.trials = s.trials[1:]
	r.Items = len(list)
	return r, nil
}

// The service is what binds if much less is achieved than Little's law says, and the cores are not why. Otherwise
// the trial tells what an item costs the cores in parallel.
func TestVerify(t *testing.T) {
	onCores(t, 2)
	cores := time.Duration(runtime.GOMAXPROCS(0))
	second := time.Second
	for name, c := range map[string]struct {
		wall, cpu time.Duration // of a trial of 40 items by 10 workers, which should take 0.4 s
		workers   int
		binding   string
		cost      time.Duration
	}{
		"as fast as it should":      {400 * ms, 20 * ms, 25 * int(cores), "cpu", ms / 2},
		"less than 0.7 of it":       {580 * ms, 20 * ms, 9, "shared resource", 5 * ms}, // 69 a second, 0.1 s each, and a quarter
		"almost nothing":            {40 * second, 20 * ms, 1, "shared resource", 5 * ms},
		"a little more than 0.7":    {560 * ms, 20 * ms, 0, "cpu", ms / 2},
		"slow, but cores are busy":  {second, 71 * second * cores / 100, 0, "cpu", 5 * ms},
		"slow, and cores are not":   {second, 69 * second * cores / 100, 5, "shared resource", 5 * ms},
		"dearer than when sampled":  {400 * ms, 400 * ms, 0, "cpu", 5 * ms},
		"as dear as it was sampled": {400 * ms, 200 * ms, 0, "cpu", 5 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			quick := Rung{Wall: 100 * ms, CPU: 20 * ms} // what further trials take, with a worker for each item
			sub := &scripted{trials: []Rung{{Wall: c.wall, CPU: c.cpu}, quick, quick}}
			m, p := waits(), &Profile{Workers: 10}
			require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 100_000))
			require.Equal(t, [2]int{10, 0}, sub.ran[0])
			require.Equal(t, c.binding, p.Binding)
			require.Equal(t, c.cost, m.CPU)
			if c.binding != "cpu" {
				require.Equal(t, c.workers, p.Workers)
				require.InDelta(t, 40/c.wall.Seconds(), m.Served, 1e-9)
				require.Len(t, sub.ran, 1)
			}
		})
	}
}

// What is a fifth cheaper in parallel is tried once more; what is less than that is not.
func TestVerifyAgain(t *testing.T) {
	for cpu, trials := range map[time.Duration]int{160 * ms: 2, 161 * ms: 1} { // of 40 items, which take 5 ms each alone
		sub := &scripted{trials: []Rung{{Wall: 400 * ms, CPU: cpu}, {Wall: 100 * ms, CPU: cpu}}}
		m, p := waits(), &Profile{Workers: 10}
		require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 100_000))
		require.Len(t, sub.ran, trials, cpu)
	}
}

// Of as many or fewer workers than were tried there is nothing more to try.
func TestVerifyEnds(t *testing.T) {
	m, p := waits(), &Profile{Workers: 10_000}
	sub := &scripted{trials: []Rung{{Wall: 100 * ms, CPU: 40 * ms}}}
	require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 40))
	require.Len(t, sub.ran, 1)
	require.Equal(t, [2]int{40, 0}, sub.ran[0], "no more workers than items")
	require.NoError(t, (&Profile{Workers: 1}).verify(t.Context(), &scripted{}, list(40), &m, 40), "one is not tried")
	computing := computes()
	require.NoError(t, (&Profile{Workers: 9}).verify(t.Context(), &scripted{}, list(40), &computing, 40), "nor is what computes")
}
