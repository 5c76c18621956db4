package executor

import (
	"bytes"
	"context"
	"regexp"
	"runtime/pprof"
	"runtime/trace"
	"testing"

	"github.com/stretchr/testify/require"
)

// labelled returns the labels of this goroutine, as a profile shows them.
func labelled(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
	for record := range bytes.SplitSeq(all.Bytes(), []byte("\n\n")) {
		if bytes.Contains(record, []byte("executor.labelled+")) {
			return string(regexp.MustCompile(`labels: (.*)`).Find(record))
		}
	}
	require.Fail(t, "this goroutine is not shown", all.String())
	return ""
}

// A goroutine has the labels of the run that it works for, and before and after that those of its caller.
func TestGoroutinesAreLabelled(t *testing.T) {
	pprof.Do(t.Context(), pprof.Labels("mine", "before"), func(ctx context.Context) {
		mine := labelled(t)
		require.Contains(t, mine, `"mine":"before"`)
		cfg := Config{Name: "night crawl", Labels: true}
		marked, unmark := cfg.mark(ctx)
		require.NotNil(t, cfg.labels, "helpers have them as well")
		runs := labelled(t)
		require.Contains(t, runs, `"amorsize_run":"night crawl"`)
		require.Contains(t, runs, `"mine":"before"`)
		name, _ := pprof.Label(marked, "amorsize_run")
		require.Equal(t, "night crawl", name)

		pprof.SetGoroutineLabels(context.Background()) // as an item may do
		require.Empty(t, labelled(t))
		cfg.labels.claim()()
		require.Equal(t, runs, labelled(t))

		helper := make(chan string)
		pprof.SetGoroutineLabels(context.Background())
		go func() {
			cfg.labels.enter()
			helper <- labelled(t)
		}()
		require.Equal(t, runs, <-helper)
		unmark()
		require.Equal(t, mine, labelled(t))
	})
}

// Without the option nothing is labelled.
func TestNothingIsLabelled(t *testing.T) {
	cfg := Config{Name: "night crawl"}
	marked, unmark := cfg.mark(t.Context())
	require.Equal(t, t.Context(), marked)
	require.Nil(t, cfg.labels)
	require.Empty(t, labelled(t))
	unmark()
	cfg.labels.enter()
	cfg.labels.claim()()
	require.Empty(t, labelled(t))
}

// A trace shows the claims of a run that has labels.
func TestClaimsAreTraced(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("a trace is being taken already")
	}
	cfg := Config{Name: "night crawl", Labels: true}
	_, unmark := cfg.mark(t.Context())
	defer unmark()
	var traced bytes.Buffer
	require.NoError(t, trace.Start(&traced))
	var none *labels
	none.claim()()
	cfg.labels.claim()()
	trace.Stop()
	require.Contains(t, traced.String(), "amorsize claim: night crawl")
}

// A run is shown by its name, or else by that of its function, if that has one.
func TestNamesOfRuns(t *testing.T) {
	code := codeOf(TestNamesOfRuns)
	const function = "github.com/amorsize/amorsize/executor.TestNamesOfRuns"
	for name, c := range map[string]struct {
		cfg           Config
		run, function string
	}{
		"nothing is known": {Config{}, "unknown", "unknown"},
		"the function":     {Config{code: code}, function, function},
		"a name":           {Config{code: code, Name: "night crawl"}, "night crawl", function},
		"the name alone":   {Config{Name: "night crawl"}, "night crawl", "unknown"},
	} {
		c.cfg.Labels = true
		marked, unmark := c.cfg.mark(t.Context())
		run, _ := pprof.Label(marked, "amorsize_run")
		called, _ := pprof.Label(marked, "amorsize_function")
		unmark()
		require.Equal(t, []string{c.run, c.function}, []string{run, called}, name)
	}
}
