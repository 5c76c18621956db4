package jobs_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// byParity makes two keys of the items, and estimates that each costs 5.
func byParity(cfg *jobs.Config) {
	cfg.Size = jobs.Size{Fixed: 4}
	cfg.Key = func(j *jobs.Job) string { return []string{"even", "odd"}[j.First().N%2] }
	cfg.Estimate = func(*jobs.Job) float64 { return 5 }
}

// Limits hold jobs back by what they cost, by their key, or both.
func TestLimitsOfItems(t *testing.T) {
	for name, c := range map[string]struct {
		options policies.Options
		cost    float64 // of a job, below 0 if it does not say
		takes   time.Duration
	}{
		"no limit":                {policies.Options{}, 10, 0},
		"tokens, cost unknown":    {policies.Options{RateTokens: "10/s"}, -1, 9 * time.Second},
		"tokens, cost known":      {policies.Options{RateTokens: "10/s"}, 10, 18500 * time.Millisecond},
		"a rate":                  {policies.Options{Rate: "1/s"}, 10, 19 * time.Second},
		"a rate by key":           {policies.Options{Rate: "1/s", Keyed: true}, 10, 9 * time.Second},
		"tokens by key, unknown":  {policies.Options{RateTokens: "10/s", Keyed: true}, -1, 4 * time.Second},
		"tokens by key, as known": {policies.Options{RateTokens: "10/s", Keyed: true}, 10, 8500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := run(t, 20, c.options, byParity, func(j *jobs.Job) error {
				if c.cost >= 0 {
					j.Cost = c.cost
				}
				return nil
			})
			require.NoError(t, got.result.Err)
			require.Len(t, got.order, 20)
			require.Equal(t, c.takes, got.result.Took.Round(time.Millisecond), name)
		})
	}
}

// With a breaker for each key, too, a service that does not recover ends the run, and few items fail.
func TestBreakersOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := run(t, 40, policies.Options{HTTP: true, Keyed: true, Breaker: "2", BreakerGiveUp: time.Minute}, byParity, func(j *jobs.Job) error {
			if j.First().N%2 == 1 {
				return errors.New("down")
			}
			return nil
		})
		require.ErrorIs(t, got.result.Err, jobs.ErrGaveUp)
		require.Less(t, len(got.failed), 5)
	})
}
