package checkup

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() Checkup {
	return Checkup{Host: sampling.Host{Procs: 4, MemoryTotal: 8 << 30, MemoryAvailable: 4 << 30}, Files: 1024, Spawn: 0.005, Timer: 0.005, Noise: 0.1, Parallel: 3.2}
}

// What makes a measurement one that is not to be trusted, and what is only worth knowing.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Checkup)
		trusted bool
		finding string
	}{
		"quiet":          {func(*Checkup) {}, true, ""},
		"noisy":          {func(c *Checkup) { c.Noise = 0.11 }, false, "the same work varies by 11 %: other"},
		"as noisy":       {func(c *Checkup) { c.Noise = 1 }, false, "the same work varies by 100 %: other"},
		"shared cores":   {func(c *Checkup) { c.Parallel = 3.1 }, false, "all 4 cores together are only 3.1 times as fast as one"},
		"late timers":    {func(c *Checkup) { c.Timer = 0.006 }, false, "timers are late by 6.00 ms"},
		"few files":      {func(c *Checkup) { c.Files = 1023 }, true, "only 1023 files may be open"},
		"files unknown":  {func(c *Checkup) { c.Files = 0 }, true, ""},
		"enough files":   {func(c *Checkup) { c.Files = 1024 }, true, ""},
		"enough memory":  {func(c *Checkup) { c.Host.MemoryAvailable = 512 << 20 }, true, ""},
		"one file":       {func(c *Checkup) { c.Files = 1 }, true, "only 1 files may be open"},
		"memory unknown": {func(c *Checkup) { c.Host.MemoryAvailable = 0 }, true, ""},
		"a byte":         {func(c *Checkup) { c.Host.MemoryAvailable = 1 }, true, "only 1 B of memory is free"},
		"little memory":  {func(c *Checkup) { c.Host.MemoryAvailable = 100_000_000 }, true, "only 100 MB of memory is free"},
		"slow starts":    {func(c *Checkup) { c.Spawn = 0.006 }, true, "starting a process takes 6.00 ms"},
		"no cores known": {func(c *Checkup) { c.Host.Procs, c.Parallel = 0, 0.8 }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := quiet()
			c.change(&found)
			found.judge()
			require.Equal(t, c.trusted, found.Trusted)
			if c.finding == "" {
				require.Equal(t, []string{}, found.Findings, "as JSON it is a list")
				return
			}
			require.Len(t, found.Findings, 1)
			require.Contains(t, found.Findings[0], c.finding)
		})
	}
}

func TestText(t *testing.T) {
	term := ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever)
	found := quiet()
	found.judge()
	require.Equal(t, `  cores        4
  memory       8.59 GB, 4.29 GB free
  open files   1 024
  process      5.00 ms to start and end
  timers       late by 5.00 ms (95 of 100)
  noise        the same work varies by 10.0 %
  cores        together 3.20 times as fast as one

measurements on this host are reliable
`, found.Text(term))
	found.Files = 1
	require.Contains(t, found.Text(term), "\n  open files   1\n")
	found.Noise, found.Files = 0.5, 0
	found.judge()
	require.Contains(t, found.Text(term), "\n  ! the same work varies by 50 %")
	require.Contains(t, found.Text(term), "not reliable")
	require.NotContains(t, found.Text(term), "open files")
}

func TestQuantile(t *testing.T) {
	require.Zero(t, quantile(nil, 0.5))
	list := []float64{3, 1, 2, 4}
	require.Equal(t, []float64{1, 3, 4, 4}, []float64{quantile(list, 0), quantile(list, 0.5), quantile(list, 0.95), quantile(list, 1)})
	require.Equal(t, []float64{3, 1, 2, 4}, list, "it is left as it is")
}

// What starting a process costs is measured, where there is one that does nothing.
func TestSpawnCost(t *testing.T) {
	require.Positive(t, spawnCost())
	t.Setenv("PATH", t.TempDir())
	require.Zero(t, spawnCost())
}

// All that a checkup tells of has been measured: a timer is never early.
func TestExamine(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	c := Examine()
	require.Equal(t, cores, runtime.GOMAXPROCS(0), "it is read only")
	require.Equal(t, "doctor", c.Cmd)
	require.Positive(t, c.V)
	require.Positive(t, c.Host.Procs)
	for _, measured := range []float64{c.Spawn, c.Timer, c.Noise, c.Parallel} {
		require.Positive(t, measured)
	}
	require.NotNil(t, c.Findings, "it has been judged")
}

func TestFigures(t *testing.T) {
	require.InDelta(t, 3.0, speed(6, 0.5, time.Second), 1e-12)
	require.InDelta(t, 1.0, speed(4, 0.5, 2*time.Second), 1e-12)
	list := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	require.InDelta(t, (10.0-2)/2/6, variation(list), 1e-12)
}
