package executor_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// goTool runs a tool of Go's, where there is one.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"tool"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// grind computes until it is told that enough has been.
func grind(i int) (int, error) {
	for k := range 3_000_000 {
		i = i*31 + k
	}
	return i, nil
}

// A CPU profile and an execution trace show runs by name: as go tool pprof and go tool trace read
// them. Before and after the run, the caller's own labels hold.
func TestProfilesShowRuns(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go here:", err)
	}
	dir := t.TempDir()
	profile, traced := filepath.Join(dir, "cpu.pprof"), filepath.Join(dir, "trace.out")
	var cpu, events bytes.Buffer
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		t.Skip("a profile is being taken already:", err)
	}
	require.NoError(t, trace.Start(&events))
	pprof.Do(t.Context(), pprof.Labels("mine", "before"), func(ctx context.Context) {
		_, err := executor.Run(ctx, executor.Func[int, int]{Plain: grind}, sequence(200), executor.Config{Name: "night crawl", Labels: true, Workers: 2})
		require.NoError(t, err)
		for range executor.Stream(ctx, executor.Func[int, int]{Plain: grind}, count(100), executor.Config{Labels: true}) {
		}
		_, err = grind(1)
		require.NoError(t, err)
	})
	trace.Stop()
	pprof.StopCPUProfile()
	require.NoError(t, os.WriteFile(profile, cpu.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(traced, events.Bytes(), 0o600))

	tags := goTool(t, "pprof", "-tags", profile)
	require.Contains(t, tags, "amorsize_run")
	require.Contains(t, tags, "night crawl")
	require.Contains(t, tags, "amorsize_function")
	require.Contains(t, tags, "github.com/amorsize/amorsize/executor_test.grind")
	require.Contains(t, tags, "mine")
	shown := goTool(t, "trace", "-d=parsed", traced)
	require.Contains(t, shown, `"amorsize: night crawl"`)
	require.Equal(t, 2, strings.Count(shown, "TaskEnd"), "both have ended")
	require.Contains(t, shown, `"amorsize claim: night crawl"`)
	require.GreaterOrEqual(t, strings.Count(shown, `"amorsize claim: github.com/amorsize/amorsize/executor_test.grind"`), 2)
}

// What calls are given carries the labels, so that goroutines that they begin have them; without
// the option there are none.
func TestLabelsOfCalls(t *testing.T) {
	for _, labels := range []bool{false, true} {
		var mu sync.Mutex
		seen := map[string]int{}
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			name, _ := pprof.Label(ctx, "amorsize_run")
			mu.Lock()
			defer mu.Unlock()
			seen[name]++
			return i, nil
		}}, sequence(50), executor.Config{Name: "labelled", Labels: labels, Workers: 4})
		require.NoError(t, err)
		require.Equal(t, map[string]int{map[bool]string{true: "labelled"}[labels]: 50}, seen)
	}
}

// In a trace each run that has begun ends, and so does each claim, of a stream as of any other run.
func TestTraceOfARunEnds(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go here:", err)
	}
	var events bytes.Buffer
	if err := trace.Start(&events); err != nil {
		t.Skip("a trace is being taken already:", err)
	}
	fn := executor.Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	_, err := executor.Run(t.Context(), fn, sequence(20), executor.Config{Labels: true, Workers: 2})
	for range executor.Stream(t.Context(), fn, count(20), executor.Config{Labels: true, Workers: 2}) {
	}
	trace.Stop()
	require.NoError(t, err)
	traced := filepath.Join(t.TempDir(), "trace.out")
	require.NoError(t, os.WriteFile(traced, events.Bytes(), 0o600))
	shown := goTool(t, "trace", "-d=parsed", traced)
	require.Equal(t, 2, strings.Count(shown, "TaskBegin"))
	require.Equal(t, 2, strings.Count(shown, "TaskEnd"))
	claims := strings.Count(shown, "RegionBegin")
	require.Positive(t, claims)
	require.Equal(t, claims, strings.Count(shown, "RegionEnd"))
}
