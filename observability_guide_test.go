package amorsize_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/live"
	"github.com/amorsize/amorsize/progress"
	"github.com/amorsize/amorsize/ratelimit"
)

// What docs/observability.md shows, compiled and run.

func TestObservabilityGuide(t *testing.T) {
	ctx, urls, fetch := t.Context(), make([]string, 30), func(context.Context, string) (int, error) { return 1, nil }

	var report amorsize.Report
	pages, err := amorsize.ExecuteContext(ctx, fetch, urls, amorsize.WithReport(&report))
	os.Stderr.WriteString(report.String())

	require.NoError(t, err)
	require.Len(t, pages, 30)

	_ = func() { // not called: the page would watch the runs of all tests
		http.Handle("/amorsize/", live.Handler())
	}

	_, err = amorsize.ExecuteContext(ctx, fetch, urls, amorsize.WithProgress(progress.Bar(os.Stderr)))
	require.NoError(t, err)

	limiter := ratelimit.MustNew(ratelimit.Policy{Name: "search", RequestsPerSecond: 5000})
	_, err = amorsize.ExecuteContext(ctx, fetch, urls, amorsize.WithName("night crawl"), amorsize.WithPolicies(limiter))
	require.NoError(t, err)

	_, err = amorsize.ExecuteContext(ctx, fetch, urls, amorsize.WithObserver(amorsize.ObserverFunc(func(e amorsize.Event) {
		switch e.Kind {
		case amorsize.PolicyChanged:
			slog.Warn("policy", "kind", e.Policy.Kind, "name", e.Policy.Name, "state", e.Policy.State)
		case amorsize.Progressed:
			if wait := e.Progress.Calls.LongestWait(); wait != nil && wait.Total > time.Minute {
				slog.Warn("calls wait", "for", wait.Name)
			}
		}
	})))
	require.NoError(t, err)
}
