package cli

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRelease(t *testing.T) {
	require.Equal(t, release{version: "devel"}, releaseOf(nil))
	require.Equal(t, "devel", releaseOf(&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}).version)
	r := releaseOf(&debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-11-28T10:00:00+02:00"},
	}})
	require.Contains(t, r.String(), "amorsize v0.1.0 (commit 0123456789ab of 2026-11-28, changed since), go1.")
	require.NotContains(t, release{version: "v1.0.0"}.String(), "commit")

	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	require.Equal(t, time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), r.dated())
	t.Setenv("SOURCE_DATE_EPOCH", "")
	require.Equal(t, time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC), r.dated())
	require.WithinDuration(t, time.Now(), release{}.dated(), time.Hour)
}
