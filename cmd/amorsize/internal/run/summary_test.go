package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// How what failed or was left runs again depends on whether there is a log, and on why the run ended.
func TestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		sum  summary.Summary
		want string
	}{
		"all went well":     {summary.Summary{OK: 1}, ""},
		"ended, no log":     {summary.Summary{Stopped: "interrupted"}, "next time add --log run.jsonl: then the same command with --resume runs the remaining items"},
		"failed, no log":    {summary.Summary{Failed: 1}, "next time add --log run.jsonl: then amorsize retry run.jsonl runs what failed"},
		"ended, with a log": {summary.Summary{Stopped: "interrupted", Failed: 1, Log: "a log"}, "the same command with --resume runs the remaining items"},
		"failed, and a log": {summary.Summary{Failed: 1, Log: "a log"}, "amorsize retry 'a log'"},
	} {
		require.Equal(t, c.want, again(c.sum), name)
	}
}

// A run is kept in the history, by what it did, without secrets. Where that fails, it is told, and the run is
// none the worse.
func TestHistory(t *testing.T) {
	b := newBench(t, "a")
	t.Setenv("AMORSIZE_HISTORY", b.path("history"))
	b.cfg.What = "do token=secret"
	status, err := b.run(newRunner(nil))
	require.NoError(t, err)
	require.Equal(t, exit.OK, status)
	kept, err := history.List()
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Equal(t, []string{"run", "do token=***"}, []string{kept[0].Cmd, kept[0].What})
	require.NotContains(t, b.read("stderr"), "not saved")

	t.Setenv("AMORSIZE_HISTORY", b.path("stdin"))
	status, err = b.run(newRunner(nil))
	require.NoError(t, err)
	require.Equal(t, exit.OK, status)
	require.Contains(t, b.read("stderr"), "amorsize: not saved in the history: ")
}

// A summary that can't be written is reported as such, also where there is no log to confuse it with.
func TestSummaryInADirectory(t *testing.T) {
	b := newBench(t, "a")
	t.Chdir(b.dir)
	b.cfg.Summary.File = "."
	r := newRunner(nil)
	status, err := b.run(r)
	require.Equal(t, exit.BadUsage, status)
	require.NotContains(t, err.Error(), "that is the log")
	require.Equal(t, []string{"a"}, r.tried)
}
