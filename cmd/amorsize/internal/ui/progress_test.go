package ui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// limited is the progress of a run of ten items, of which five have ended, under policies.
func limited(t *testing.T, o policies.Options) View {
	t.Helper()
	v := view(5, 10, 1, time.Now(), 1)
	var err error
	v.Set, err = policies.New(o)
	require.NoError(t, err)
	return v
}

// While the breaker is open the line says why, without credentials, and how many wait.
func TestLineSaysWhyARunIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := limited(t, policies.Options{Breaker: "1"})
		why := errors.New("Cookie: a=b\n" + strings.Repeat("x", 100))
		require.ErrorIs(t, v.Set.Breaker.Do(t.Context(), func(context.Context) error { return why }), why)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = v.Set.Breaker.Do(ctx, func(context.Context) error { return nil }) }()
		synctest.Wait()
		require.Equal(t, " 5/10 · paused: the breaker is open (Cookie: *** "+strings.Repeat("x", 67)+"…) · 1 waiting", v.Line(time.Now()))
		require.Contains(t, v.JSON(time.Now()), `"paused":true`)
		cancel()
		synctest.Wait()
	})
}

// A run that was throttled tells of it, with the rate that has come of it; another one does not.
func TestLineTellsOfThrottling(t *testing.T) {
	v := limited(t, policies.Options{Rate: "50/s"})
	require.NotContains(t, v.Line(time.Now()), "throttled")
	v.Set.Throttled.Store(1)
	require.Contains(t, v.Line(time.Now()), "throttled×1 (rate now 50/s)")
	v = limited(t, policies.Options{})
	v.Set.Throttled.Store(2)
	require.Regexp(t, `throttled×2(  |$)`, v.Line(time.Now()))
}
