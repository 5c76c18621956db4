package gofunc

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func init() {
	harnesses["samples"] = func(out *os.File) {
		for range 500 {
			tell(out, `{"type":"start","n":1,"items":1}`)
		}
		tell(out,
			`{"type":"block","n":1,"items":1,"wall_ns":5}`,
			`{"type":"start","n":2,"items":3}`,
			`{"type":"block","n":2,"items":3,"wall_ns":7,"failed":2,"err":"panic: boom","panic":true,"frame":"calc.go:7"}`,
			`{"type":"block","n":5,"items":1,"wall_ns":8,"failed":1,"err":"later"}`,
			`{"type":"sample","items":5,"wall_ns":20,"cpu_ns":15,"bytes":100,"allocs":10}`,
			`{"type":"end"}`)
	}
	harnesses["works"] = func(out *os.File) {
		tell(out,
			`{"type":"parallel","items":5,"wall_ns":20,"cpu_ns":15,"p95_ns":3,"max_ns":4,"failed":2,"err":"two is bad"}`,
			`{"type":"other","items":6}`, `{"type":"end"}`)
	}
	harnesses["ends early"] = func(out *os.File) { tell(out, `{"type":"parallel","items":5}`) }
}

// TestSampleIsWhatCallsCost: the blocks as they were timed, and what a call allocates.
func TestSampleIsWhatCallsCost(t *testing.T) {
	got, err := fakeHarness(t, "samples").Sample(t.Context(), Run{Budget: time.Hour})
	require.NoError(t, err)
	require.Equal(t, &Sample{
		Items: 5, Wall: 20, CPU: 15, Bytes: 20, Allocs: 2, Failed: 3,
		Blocks: []Block{{Items: 1, Wall: 5}, {Items: 3, Wall: 7}, {Items: 1, Wall: 8}},
		First:  &CallError{Text: "panic: boom", Panic: true, Frame: "calc.go:7"},
	}, got)

	var none Sample
	none.add(&record{Type: "sample", Wall: 20, Bytes: 100, Allocs: 10})
	require.Equal(t, Sample{Wall: 20, Bytes: 100, Allocs: 10}, none, "of no calls it is what there is")
	var one Sample
	one.add(&record{Type: "sample", Items: 1, Bytes: 100, Allocs: 10})
	require.Equal(t, Sample{Items: 1, Bytes: 100, Allocs: 10}, one)
}

// TestParallelIsWhatWorkersAchieve.
func TestParallelIsWhatWorkersAchieve(t *testing.T) {
	got, err := fakeHarness(t, "works").Parallel(t.Context(), Run{Workers: 4})
	require.NoError(t, err)
	require.Equal(t, &Parallel{Items: 5, Wall: 20, CPU: 15, P95: 3, Max: 4, Failed: 2, First: &CallError{Text: "two is bad"}}, got)

	_, err = fakeHarness(t, "ends early").Parallel(t.Context(), Run{Items: list("a")})
	refused(t, err, "item 1 ended the process (exit 0)")
}

// TestHangingCallIsToldWithItsPlace: the process is asked where it is, and ends.
func TestHangingCallIsToldWithItsPlace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signal asks a process where it hangs")
	}
	_, err := fakeHarness(t, "hangs and tells where").Sample(t.Context(), Run{Budget: time.Millisecond})
	refused(t, err, "item 2 still running after 5ms; raise --budget or profile a smaller item\ngoroutine 1 [sleep]:\ncalc.Hangs()\n\t/calc/calc.go:7")
}

// TestCanceledMeasurementEndsTheProgram, and is no failure of the function.
func TestCanceledMeasurementEndsTheProgram(t *testing.T) {
	b := fakeHarness(t, "ignores input")
	for name, measure := range map[string]func(context.Context, Run) error{
		"sample":   func(ctx context.Context, run Run) error { _, err := b.Sample(ctx, run); return err },
		"parallel": func(ctx context.Context, run Run) error { _, err := b.Parallel(ctx, run); return err },
		"race":     func(ctx context.Context, run Run) error { _, err := b.CheckRace(ctx, run); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		require.Equal(t, context.Canceled, measure(ctx, Run{Budget: time.Hour, Output: canceling{cancel}}), name)
	}
}

// TestStackOfWhatHangs is the goroutine that makes a call, down to the call.
func TestStackOfWhatHangs(t *testing.T) {
	const others = "SIGQUIT: quit\n\ngoroutine 0 [idle]:\nruntime.futex()\n\ngoroutine 1 [running]:\nmain.main()\n\namzGuard of no goroutine\n\n"
	for text, want := range map[string]string{
		"":     "",
		others: "",
		others + "goroutine 5 [sleep]:\ntime.Sleep()\n\t/time.go:1\ncalc.Hangs()\n\t/calc.go:2\nmain.amzGuard()\n\t/x.go:3\n\ngoroutine 6 [sleep]:\nmain.amzGuard()\n": "goroutine 5 [sleep]:\ntime.Sleep()\n\t/time.go:1\ncalc.Hangs()\n\t/calc.go:2",
		others + "goroutine 5 [sleep]:\n1\n2\n3\n4\n5\n6\n7\nexample.com/calc.amzGuard()\n":                                                                            "goroutine 5 [sleep]:\n1\n2\n3\n4\n5\n6",
		others + "goroutine 5 [sleep]:\n1\nexample.com/calc.amzGuard()":                                                                                                "goroutine 5 [sleep]:\n1\nexample.com/calc.amzGuard()",
	} {
		require.Equal(t, want, stack(text), text)
	}
}

// report is what the race detector writes of accesses.
func report(accesses ...string) string {
	var text strings.Builder
	text.WriteString("==================\nWARNING: DATA RACE\n")
	for i, access := range accesses {
		kind, place, _ := strings.Cut(access, " at ")
		if i > 0 {
			kind = "Previous " + strings.ToLower(kind)
		}
		text.WriteString(kind + " at 0x00c000012345 by goroutine 7:\n  example.com/calc.Racy()\n      " + place + " +0x44\n\n")
	}
	return text.String() + "==================\nFound 1 data race(s)\n"
}

// TestRaceIsToldWithItsPlace: a write rather than a read, and never one of the harness.
func TestRaceIsToldWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Race
	}{
		"none":             {"all is well", Race{}},
		"no place":         {"WARNING: DATA RACE\n", Race{true, "a data race"}},
		"a write first":    {report("Write at /u/calc/calc.go:7", "Read at /u/calc/calc.go:8"), Race{true, "write at calc/calc.go:7"}},
		"a read first":     {report("Read at /u/calc/calc.go:8", "Write at /u/calc/calc.go:7"), Race{true, "write at calc/calc.go:7"}},
		"two writes":       {report("Write at /u/calc/a.go:1", "Write at /u/calc/b.go:2"), Race{true, "write at calc/a.go:1"}},
		"only reads":       {report("Read at /u/calc/calc.go:8"), Race{true, "read at calc/calc.go:8"}},
		"of the harness":   {report("Write at /u/calc/zz_amorsize_serve_h.go:8"), Race{true, "a data race"}},
		"and of the user":  {report("Write at /u/calc/zz_amorsize_serve_h.go:8", "Read at /u/calc/calc.go:9"), Race{true, "read at calc/calc.go:9"}},
		"after a function": {"printed\n" + report("Write at /u/calc/calc.go:7"), Race{true, "write at calc/calc.go:7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOFUNC_TEST_REPORT", c.text)
			got, err := fakeHarness(t, "races").CheckRace(t.Context(), Run{})
			require.NoError(t, err)
			c.want.Text = filepath.FromSlash(c.want.Text)
			require.Equal(t, c.want, got)
		})
	}
}

// TestRaceDetectorGoesOn after the first race, in a harness that makes the calls.
func TestRaceDetectorGoesOn(t *testing.T) {
	var out strings.Builder
	got, err := fakeHarness(t, "tells GORACE").CheckRace(t.Context(), Run{Items: list("a", "b"), Output: &out})
	require.NoError(t, err)
	require.True(t, got.Found)
	require.Equal(t, "WARNING: DATA RACE\nrace\nhalt_on_error=0 exitcode=66\n\"a\" \"b\"\n", out.String())
}

// TestRecordsUpToTheEnd: what comes of a program whose output breaks off, and of one that came to its end.
func TestRecordsUpToTheEnd(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                       false,
		"{\"type\":\"block\"}\n":                 false,
		"{\"type\":\"end\"}\n":                   true,
		"{\"type\":\"end\"}\n{\"type\":\"x\"}\n": true,
		"{\"type\":\"end\"}":                     false, // a line that is cut off
	} {
		p := inMemory(io.NopCloser(strings.NewReader(text)), nil)
		seen := 0
		ended, err := p.read(func(*record) { seen++ })
		require.NoError(t, err)
		require.Equal(t, want, ended, text)
		require.Equal(t, strings.Count(text, "\n"), seen)
		_, err = p.next()
		require.True(t, errors.Is(err, io.EOF))
	}
}
