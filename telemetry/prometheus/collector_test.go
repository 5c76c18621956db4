package amorsizeprom_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	amorsizeprom "github.com/amorsize/amorsize/telemetry/prometheus"
)

// gathered returns the metrics of a registry by name.
func gathered(t *testing.T, r *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// value returns the value of the metric of a family that has all these labels.
func value(t *testing.T, f *dto.MetricFamily, labels ...string) float64 {
	t.Helper()
	require.NotNil(t, f)
	for _, m := range f.GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		if all {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("%s has no %v: %v", f.GetName(), labels, f)
	return 0
}

// A run whose service goes down for a while, as Prometheus is told of it in the midst of that, and
// in the end.
func TestCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		stop, err := amorsizeprom.Watch(registry)
		require.NoError(t, err)
		_, err = amorsizeprom.Watch(registry)
		require.Error(t, err, "it is there already")
		start := time.Now()
		service := func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			if at := time.Since(start); at > 2*time.Second && at < 4*time.Second {
				return 0, errors.New("down")
			}
			return i, nil
		}
		limiter := ratelimit.MustNew(ratelimit.Policy{Name: "pages", RequestsPerSecond: 100, BurstSize: 1})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 3, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait})
		again := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, MaxDelay: time.Second})
		done := make(chan error)
		go func() {
			_, err := amorsize.ExecuteContext(t.Context(), service, make([]int, 500),
				amorsize.WithName("night crawl"), amorsize.WithPolicies(again, limiter, breaker))
			done <- err
		}()
		time.Sleep(1500*time.Millisecond + time.Millisecond/2)
		all := gathered(t, registry)
		require.InDelta(t, 1, value(t, all["amorsize_runs_active"], "night crawl"), 0)
		require.InDelta(t, 145, value(t, all["amorsize_run_items_completed"]), 15)
		require.InDelta(t, 500, value(t, all["amorsize_run_items"]), 0)
		require.InDelta(t, 1, value(t, all["amorsize_run_bound"], "policies"), 0)
		require.InDelta(t, 3.6, value(t, all["amorsize_run_remaining_seconds"]), 0.5)
		time.Sleep(time.Second)
		all = gathered(t, registry)
		require.InDelta(t, 1, value(t, all["amorsize_policy_state"], "circuitbreaker", "search", "open"), 0)
		require.NoError(t, <-done)

		all = gathered(t, registry)
		require.Zero(t, value(t, all["amorsize_runs_active"]))
		require.InDelta(t, 1, value(t, all["amorsize_runs_total"], "ok"), 0)
		require.InDelta(t, 500, value(t, all["amorsize_items_total"], "ok"), 0)
		require.InDelta(t, 500, value(t, all["amorsize_calls_total"], "ok"), 0)
		require.GreaterOrEqual(t, value(t, all["amorsize_calls_total"], "other"), 3.0)
		require.InDelta(t, value(t, all["amorsize_calls_total"], "other"), value(t, all["amorsize_retries_total"]), 0)
		require.NotContains(t, all, "amorsize_policy_state")
		h := all["amorsize_call_duration_seconds"].GetMetric()[0].GetHistogram()
		require.InDelta(t, 500, float64(h.GetSampleCount()), 20)
		require.EqualValues(t, 3, h.GetSchema())
		require.NotEmpty(t, h.GetPositiveSpan())
		require.Nil(t, h.GetCreatedTimestamp())
		for _, b := range h.GetBucket() {
			require.Equal(t, b.GetUpperBound() >= 0.025, b.GetCumulativeCount() == h.GetSampleCount(), "%v", b)
		}
		require.Len(t, all["amorsize_policy_wait_seconds"].GetMetric(), 3)
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		require.Empty(t, problems)
		stop()
		require.Empty(t, gathered(t, registry))
	})
}
