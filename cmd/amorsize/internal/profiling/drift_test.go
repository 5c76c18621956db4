package profiling

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What has changed since the first profile, beyond what samples vary by themselves.
func TestDrift(t *testing.T) {
	first := &Profile{Wall: 1, Class: "I/O-bound", Workers: 10, Sampled: 100, Failed: 1}
	for want, p := range map[string]Profile{
		"":                                {Wall: 1.2, Class: "I/O-bound", Workers: 15, Sampled: 100, Failed: 1},
		"item +30 %":                      {Wall: 1.3, Class: "I/O-bound", Workers: 10, Sampled: 100},
		"item -30 %":                      {Wall: 0.7, Class: "I/O-bound", Workers: 10, Sampled: 100},
		"I/O-bound -> CPU-bound":          {Wall: 1, Class: "CPU-bound", Workers: 10, Sampled: 100},
		"workers 10 -> 16, 2 more failed": {Wall: 1, Class: "I/O-bound", Workers: 16, Sampled: 100, Failed: 3},
		"workers 10 -> 6":                 {Wall: 1, Class: "I/O-bound", Workers: 6, Sampled: 100},
	} {
		require.Equal(t, want, strings.Join(p.Drift(first), ", "))
	}
	require.Empty(t, (&Profile{Wall: 1.25, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(first), "a quarter, not more")
	third := &Profile{Wall: 1, Class: "I/O-bound", Workers: 3, Sampled: 100}
	require.Empty(t, (&Profile{Wall: 1, Class: "I/O-bound", Workers: 2, Sampled: 100}).Drift(third), "two thirds, not less")
	few := Profile{Wall: 1.5, CV: 0.2, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Empty(t, few.Drift(first), "of one call, three standard errors are 60 %")
	noisy := Profile{Wall: 1.3, CV: 1, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Empty(t, noisy.Drift(first), "three standard errors are more")
	steady := &Profile{Wall: 1, CV: 0.3, Class: "I/O-bound", Workers: 10, Sampled: 100}
	require.Equal(t, []string{"item +30 %"}, (&Profile{Wall: 1.3, CV: 0.3, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(steady), "of many, little is known well")
	noisy = Profile{Wall: 1.35, CV: 0.1, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Equal(t, []string{"item +35 %"}, noisy.Drift(first), "and three are enough")
	once := &Profile{Wall: 1, CV: 0.2, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Empty(t, (&Profile{Wall: 1.5, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(once), "nor of one call the first time")
	slow := &Profile{Wall: 2, Class: "I/O-bound", Workers: 10, Sampled: 100}
	require.Equal(t, []string{"item +100 %"}, (&Profile{Wall: 4, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(slow), "of what it was")
}

// A line for a person has failures and changes where there are some; JSON has them always.
func TestDriftLines(t *testing.T) {
	first := &Profile{Wall: 1, Class: "I/O-bound", Workers: 10, Sampled: 100, Failed: 1}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &Profile{Wall: 1.3, Class: "I/O-bound", Workers: 1, Sampled: 9, Failed: 2, measured: waits()}
	require.Equal(t, "03:04:05  item 100 ms ± 10 %  CPU 5.00 ms  I/O-bound  1 worker  2 failed  drift: item +30 %, workers 10 -> 1, 1 more failed\n", p.Line(first, now))
	varied := waits()
	varied.CV = 1
	for _, c := range []struct {
		failed, workers int
		want            string
	}{
		{0, 10, "10 workers\n"},
		{1, 10, "10 workers  1 failed\n"},
		{0, 5, "5 workers  drift: workers 10 -> 5\n"},
	} {
		p := &Profile{Wall: 1, Class: "I/O-bound", Workers: c.workers, Sampled: 9, Failed: c.failed, measured: varied}
		require.Equal(t, "03:04:05  item 100 ms ± 100 %  CPU 5.00 ms  I/O-bound  "+c.want, p.Line(first, now))
	}
	raw, err := p.JSONLine(first, now)
	require.NoError(t, err)
	var line struct {
		At      time.Time
		Drift   []string
		Workers int
	}
	require.NoError(t, json.Unmarshal(raw, &line))
	require.Equal(t, now, line.At)
	require.Len(t, line.Drift, 3)
	raw, err = first.JSONLine(first, now)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"drift":[]`, "a list, also if it is empty")
}
