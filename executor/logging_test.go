package executor

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// logged returns what a notice writes to a log of a level.
func logged(level slog.Level, message string, e Event) string {
	var text bytes.Buffer
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level, ReplaceAttr: untimed}))
	logEvent(log, &notice{event: e, message: message})
	return text.String()
}

// Each decision is a line at level Info, each change one at level Debug, with keys that say their unit.
func TestLinesOfTheLog(t *testing.T) {
	plan := optimizer.Plan{
		Mode: optimizer.Parallel, Workers: 4, MaxWorkers: 8, ChunkSize: 3, Workload: sampling.IOBound,
		Sample:            sampling.Sample{Items: 5, ItemNanos: 25e7, CPUKnown: true, CPUShare: 0.125},
		PredictedDuration: 1500 * time.Millisecond, PredictedSpeedup: 3.5, Reason: "so", Warnings: []string{"one", "two"},
	}
	for name, c := range map[string]struct {
		event Event
		debug bool
		want  string
	}{
		"a plan": {Event{Kind: Planned, Plan: &plan}, false, `msg=note mode=parallel workers=4 max_workers=8 chunk_items=3 ` +
			`workload=I/O-bound sampled_items=5 item_seconds=0.25 cpu_share=0.125 predicted_seconds=1.5 predicted_speedup=3.5 reason=so
level=INFO msg="plan warning" warning=one
level=INFO msg="plan warning" warning=two
`},
		"a limit": {Event{Kind: LimitChanged, Change: &Change{At: 250 * time.Millisecond, Workers: 5, Reason: "so"}}, true,
			"msg=note limit=5 reason=so at_seconds=0.25\n"},
		"a policy": {Event{Kind: PolicyChanged, Elapsed: 500 * time.Millisecond, Policy: &PolicyState{"ratelimit", "search", "paused", time.Second}}, false,
			"msg=note kind=ratelimit name=search state=paused left_seconds=1 at_seconds=0.5\n"},
		"a policy, back to normal": {Event{Kind: PolicyChanged, Policy: &PolicyState{Kind: "ratelimit", Name: "search"}}, false,
			"msg=note kind=ratelimit name=search state=ordinary left_seconds=0 at_seconds=0\n"},
		"a sync":  {Event{Kind: Synced, Size: 7, Duration: 125 * time.Millisecond}, true, "msg=note records=7 took_seconds=0.125\n"},
		"a chunk": {Event{Kind: ChunkDone}, true, ""},
	} {
		level, at := "level=INFO ", slog.LevelInfo
		if c.debug {
			level, at = "level=DEBUG ", slog.LevelDebug
		}
		if c.want == "" {
			level = ""
		}
		require.Equal(t, level+c.want, logged(at, "note", c.event), name)
		require.Empty(t, logged(at+1, "note", c.event), name)
	}
}

// The end of a run is a line of what its report says first.
func TestTheEndInTheLog(t *testing.T) {
	report := Report{
		Items: 9, Succeeded: 6, Failed: 3, Known: 2, Elapsed: 2500 * time.Millisecond, MeanWorkers: 1.5, Bound: BoundByService,
		Calls: Calls{Retried: 4, Failed: Failures{Overloaded: 1, Other: 2}}, Err: errors.New("odd"),
	}
	report.PredictedDuration = 2 * time.Second
	require.Equal(t, "level=INFO msg=done items=9 succeeded=6 failed=3 known=2 elapsed_seconds=2.5 predicted_seconds=2 "+
		"mean_workers=1.5 bound=\"the service\" retried=4 overloaded=1 err=odd\n", logged(slog.LevelInfo, "done", Event{Kind: Finished, Report: &report}))
	require.Empty(t, logged(slog.LevelWarn, "done", Event{Kind: Finished, Report: &report}))
}
