package optimizer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestExplain(t *testing.T) {
	cold := sample(20*time.Microsecond, 1)
	cold.First = ms
	h := memoryHost(8, 1<<33)
	h.Warnings = []string{"load unknown: no such file"}
	text := optimizer.New(cold, h, optimizer.Constraints{Items: 100_000}).Explain()
	for _, want := range []string{
		"Plan      parallel: 8 workers", "Measured  10 of 100000 items", "the first call was cold (1ms)",
		"100 % of it CPU time", "Host      GOMAXPROCS 8", "chosen to start with", "cores allow 8 (binding)",
		"Warning   load unknown", "Otherwise I/O-bound calls",
	} {
		require.Contains(t, text, want)
	}
	serial := optimizer.New(sample(50, 1), host(8), optimizer.Constraints{Items: 100}).Explain()
	require.Contains(t, serial, "not enough for a second worker to help")
	require.Contains(t, serial, "such items, a second worker would help")
}

// A plan in one line, with each part that it may have.
func TestString(t *testing.T) {
	for want, p := range map[string]optimizer.Plan{
		"serial: 1 worker × chunks of 2; why":                               {Workers: 1, MaxWorkers: 5, ChunkSize: 2},
		"parallel: 1 worker × chunks of 2; why":                             {Mode: 1, Workers: 1, MaxWorkers: 1, ChunkSize: 2},
		"parallel: 1 worker, up to 2, × chunks of 2; why":                   {Mode: 1, Workers: 1, MaxWorkers: 2, ChunkSize: 2},
		"parallel: 2 workers × chunks of 2; why":                            {Mode: 1, Workers: 2, MaxWorkers: 2, ChunkSize: 2},
		"parallel: 2 workers, up to 3, × chunks of 2; why":                  {Mode: 1, Workers: 2, MaxWorkers: 3, ChunkSize: 2},
		"serial: 1 worker × chunks of 2; CPU-bound, 1ns a call; why":        {ChunkSize: 2, Sample: sampling.Sample{ItemNanos: 1}},
		"serial: 1 worker × chunks of 2; predicted 1ns; why":                {ChunkSize: 2, PredictedDuration: 1},
		"serial: 1 worker × chunks of 2; predicted 1ns, 0.5× the loop; why": {ChunkSize: 2, PredictedDuration: 1, PredictedSpeedup: 0.5},
		"serial: 1 worker × chunks of 2; at best 1ns, 3× the loop; why":     {ChunkSize: 2, PredictedDuration: 1, PredictedSpeedup: 3, AtBest: true},
	} {
		p.Reason = "why"
		require.Equal(t, want, p.String())
	}
}

// Times have three digits, sizes a unit in which they have few.
func TestDigits(t *testing.T) {
	for nanos, want := range map[float64]string{
		1: "1ns", 999: "999ns", 1000: "1µs", 1004: "1µs", 1234: "1.23µs", 10_006: "10µs", 10_555: "10.6µs", 1_234_567: "1.23ms",
		1_235e6: "1.24s", 9.2e18: "2555555h33m20s",
	} {
		require.Contains(t, optimizer.Plan{Sample: sampling.Sample{ItemNanos: nanos}}.Explain(), "while running: "+want+" a call", nanos)
	}
	for size, want := range map[float64]string{
		0: "0 B", 999: "999 B", 1000: "0.977 KiB", 1 << 10: "1 KiB", 3 << 20: "3 MiB", 1 << 30: "1 GiB", 1 << 40: "1.02e+03 GiB",
	} {
		require.Contains(t, optimizer.Plan{Sample: sampling.Sample{AllocBytes: size, AllocKnown: true}}.Explain(), ", "+want+" allocated\n", size)
	}
}

// What there is only one of is told as well.
func TestExplainOne(t *testing.T) {
	text := optimizer.Plan{
		Mode: optimizer.Parallel, Workers: 4, PredictedDuration: 1,
		Limits:     []optimizer.Limit{{Name: "cores", Workers: 4}},
		Candidates: []optimizer.Candidate{{Workers: 4, Duration: 1, Speedup: 2}},
	}.Explain()
	require.Contains(t, text, "Limits    cores allow 4\n")
	require.Contains(t, text, "Workers   predicted for the items left:\n    4  1ns  2.00× chosen to start with\n")
}
