package gofunc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// harnesses are programs that stand in for a harness, by name.
var harnesses = map[string]func(out *os.File){
	"speaks": func(out *os.File) {
		_, _ = os.Stderr.WriteString("to the standard error\n")
		_, _ = os.Stdout.WriteString("to the standard output\n")
		tell(out, `{"type":"parallel","err":`+setting("AMORSIZE_MODE", "AMORSIZE_BATCH", "AMORSIZE_WORKERS", "AMORSIZE_BUDGET")+`}`, `{"type":"end"}`)
	},
	"repeats": func(out *os.File) {
		for _, line := range hear() {
			_, _ = os.Stderr.WriteString(line + "\n")
		}
		tell(out, `{"type":"sample"}`, `{"type":"parallel"}`, `{"type":"end"}`)
	},
	"bad": func(out *os.File) {
		tell(out, `{"type":"bad","n":3,"err":"decode as int"}`, `{"type":"end"}`)
	},
	"babbles": func(out *os.File) {
		tell(out, `{"type":"start","n":1}`, `{"type":`+strings.Repeat("x", 200), `{"type":"end"}`)
	},
	"exits": func(out *os.File) {
		tell(out, `{"type":"start","n":7,"items":1}`)
		_, _ = os.Stderr.WriteString("1\n2\n3\n4\n5\n6\n")
		os.Exit(3)
	},
	"exits in several": func(out *os.File) {
		tell(out, `{"type":"start","n":7,"items":4}`, `{"type":"block","n":7,"items":4}`, `{"type":"start","n":11,"items":5}`)
		os.Exit(0)
	},
	"ends at once":     func(*os.File) {},
	"tells of nothing": func(out *os.File) { tell(out, `{"type":"end"}`) },
	"hangs and tells where": func(out *os.File) {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.Signal(3)) // SIGQUIT
		tell(out, `{"type":"start","n":2,"items":1}`)
		select {
		case <-asked:
		case <-time.After(30 * time.Second):
		}
		_, _ = os.Stderr.WriteString("SIGQUIT\n\ngoroutine 1 [sleep]:\ncalc.Hangs()\n\t/calc/calc.go:7\nmain.amzGuard()\n")
		os.Exit(2)
	},
	"races": func(*os.File) { _, _ = os.Stderr.WriteString(os.Getenv("GOFUNC_TEST_REPORT")); os.Exit(66) },
	"tells GORACE": func(*os.File) {
		tell(os.Stderr, "WARNING: DATA RACE", os.Getenv("AMORSIZE_MODE"), os.Getenv("GORACE"), strings.Join(hear(), " "))
	},
	"ignores input": func(out *os.File) { tell(os.Stderr, "up"); hang(out) },
}

// hang never returns: the process is killed. Where it is not, it doesn't outlive the tests for long.
func hang(out *os.File) {
	<-time.After(30 * time.Second)
	_ = out.Close()
	os.Exit(9)
}

// list are items of these texts.
func list(texts ...string) (list []items.Item) {
	for i, text := range texts {
		list = append(list, items.Of(i+1, text))
	}
	return list
}

// canceling is a writer that cancels what its text stands for.
type canceling struct{ cancel func() }

func (c canceling) Write(p []byte) (int, error) { c.cancel(); return len(p), nil }

// TestProgramRunsWithSettings: the harness is told by its environment how to call, and runs where that is asked for.
func TestProgramRunsWithSettings(t *testing.T) {
	b := fakeHarness(t, "speaks")
	dir := filepath.Join(t.TempDir(), "here")
	require.NoError(t, os.Mkdir(dir, 0o700))
	for _, c := range []struct {
		run  Run
		want string
	}{
		{Run{Dir: dir}, "AMORSIZE_MODE=parallel AMORSIZE_BATCH=1 AMORSIZE_WORKERS=0 AMORSIZE_BUDGET=0s here"},
		{Run{Dir: dir, Batch: 7, Workers: 5, Budget: 1500}, "AMORSIZE_MODE=parallel AMORSIZE_BATCH=7 AMORSIZE_WORKERS=5 AMORSIZE_BUDGET=1.5µs here"},
	} {
		got, err := b.Parallel(t.Context(), c.run)
		require.NoError(t, err)
		require.EqualError(t, got.First, c.want)
	}
	t.Setenv("AMORSIZE_MODE", "of an outer run")
	got, err := b.Parallel(t.Context(), Run{Dir: dir})
	require.NoError(t, err)
	require.ErrorContains(t, got.First, "AMORSIZE_MODE=parallel ")
}

// TestWhatFunctionPrintsGoesToOutput, if there is one.
func TestWhatFunctionPrintsGoesToOutput(t *testing.T) {
	b := fakeHarness(t, "speaks")
	var out bytes.Buffer
	_, err := b.Parallel(t.Context(), Run{Output: &out})
	require.NoError(t, err)
	require.Equal(t, "to the standard error\nto the standard output\n", out.String())
}

// TestStartedIsToldOfEachProcess, and of its end.
func TestStartedIsToldOfEachProcess(t *testing.T) {
	b := fakeHarness(t, "speaks")
	started, ended := 0, 0
	b.Started = func(pid int) func() {
		require.Positive(t, pid)
		require.NotEqual(t, os.Getpid(), pid)
		started++
		return func() { ended++ }
	}
	_, err := b.Parallel(t.Context(), Run{})
	require.NoError(t, err)
	require.Equal(t, 1, started)
	require.Equal(t, 1, ended)
}

// TestItemsAreLines: an item is one line of JSON.
func TestItemsAreLines(t *testing.T) {
	b := fakeHarness(t, "repeats")
	input, err := items.Source{Format: items.JSONL}.Open(strings.NewReader(`{"A":1}` + "\n"))
	require.NoError(t, err)
	all := list("a", "two\nlines", `"`)
	for it := range input.All() {
		it.Text = "{\"A\":\n1}" // as a record may stand in a file
		all = append(all, it)
	}
	require.NoError(t, input.Close())
	const want = "\"a\"\n\"two\\nlines\"\n\"\\\"\"\n{\"A\": 1}\n"
	var out bytes.Buffer
	_, err = b.Sample(t.Context(), Run{Items: all, Output: &out, Budget: 1e9})
	require.NoError(t, err)
	require.Equal(t, want, out.String())
	out.Reset()
	_, err = b.Parallel(t.Context(), Run{Items: all, Output: &out})
	require.NoError(t, err)
	require.Equal(t, want, out.String())
}

// failing is a writer that has gone.
type failing struct {
	writes int
	closed bool
}

func (f *failing) Write([]byte) (int, error) { f.writes++; return 0, io.ErrClosedPipe }
func (f *failing) Close() error              { f.closed = true; return nil }

// TestItemsForAProgramThatHasGone are not written one after the other.
func TestItemsForAProgramThatHasGone(t *testing.T) {
	var gone failing
	long := bytes.Repeat([]byte("x"), 80<<10)
	writeLines(&gone, [][]byte{long, []byte("b"), long})
	require.Equal(t, 1, gone.writes)
	require.True(t, gone.closed)
}

// TestBrokenProgramIsToldOf: an invalid item, and a line that is no record, end the program.
func TestBrokenProgramIsToldOf(t *testing.T) {
	run := Run{Items: list("a"), Budget: 1e9}
	for name, want := range map[string]string{
		"bad":     "item 3: decode as int",
		"babbles": "the harness wrote ",
	} {
		b := fakeHarness(t, name)
		ended := 0
		b.Started = func(int) func() { return func() { ended++ } }
		_, err := b.Sample(t.Context(), run)
		require.ErrorContains(t, err, want)
		_, err = b.Parallel(t.Context(), run)
		require.ErrorContains(t, err, want)
		require.Equal(t, 2, ended)
	}
}

// TestProgramThatDoesNotStart is told with the reason.
func TestProgramThatDoesNotStart(t *testing.T) {
	b := &Binary{Path: filepath.Join(t.TempDir(), "none")}
	_, err := b.Sample(t.Context(), Run{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = b.Parallel(t.Context(), Run{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = b.CheckRace(t.Context(), Run{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = b.Serve(nil, "")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestDeathNamesItem: which item ended the process, how, and the last five lines of what it wrote.
func TestDeathNamesItem(t *testing.T) {
	run := Run{Items: list("a", "b", "c"), Budget: 1e9}
	_, err := fakeHarness(t, "exits").Sample(t.Context(), run)
	refused(t, err, "item 7 ended the process (exit 3): 2\n3\n4\n5\n6")
	_, err = fakeHarness(t, "exits").Parallel(t.Context(), run)
	refused(t, err, "one of the items 1 to 3 ended the process (exit 3): 2\n3\n4\n5\n6")
	_, err = fakeHarness(t, "exits in several").Sample(t.Context(), run)
	refused(t, err, "one of the items 11 to 15 ended the process (exit 0)")
	_, err = fakeHarness(t, "ends at once").Sample(t.Context(), run)
	refused(t, err, "item 1 ended the process (exit 0)")
	_, err = fakeHarness(t, "tells of nothing").Parallel(t.Context(), Run{Items: list("a")})
	refused(t, err, "item 1 ended the process (exit 0)")
	_, err = fakeHarness(t, "exits in several").Parallel(t.Context(), Run{Items: list("a", "b")})
	refused(t, err, "one of the items 1 to 2 ended the process (exit 0)")
}

// TestDeathIsToldBriefly: an error of the program's end, a signal, and a stack of one's goroutines only.
func TestDeathIsToldBriefly(t *testing.T) {
	for _, c := range []struct {
		err          error
		stderr, want string
	}{
		{nil, "", "item 2 ended the process (exit 0)"},
		{nil, " \n", "item 2 ended the process (exit 0)"},
		{errors.New("no such child"), "", "item 2 ended the process (no such child)"},
		{&exec.ExitError{}, "x", "item 2 ended the process (<nil>): x"},
		{nil, "1\n2\n3\n4\n5\n", "item 2 ended the process (exit 0): 1\n2\n3\n4\n5"},
		{nil, "fatal error: out\n\ngoroutine 1 [running]:\nmain.main()\n\ngoroutine 2:\n", "item 2 ended the process (exit 0): fatal error: out\n"},
		{nil, "goroutine 1 [running]:\nmain.main()", "item 2 ended the process (exit 0): goroutine 1 [running]:\nmain.main()"},
		{nil, "x\ngoroutine 1 [running]:\n", "item 2 ended the process (exit 0): x"},
		{nil, "\ngoroutine 1 [running]:\n", "item 2 ended the process (exit 0): goroutine 1 [running]:"},
	} {
		var p program
		_, _ = p.errs.Write([]byte(c.stderr))
		refused(t, p.died(2, 1, c.err), c.want)
	}
}

// TestFailuresNameTheirPlace: that of a panic in the user's source.
func TestFailuresNameTheirPlace(t *testing.T) {
	require.NoError(t, (&record{Panic: true, Frame: "x"}).failure())
	err := (&record{Err: "two is bad"}).failure()
	require.Equal(t, &CallError{Text: "two is bad"}, err)
	require.EqualError(t, err, "two is bad")
	err = (&record{Err: "panic: boom", Panic: true, Frame: "calc.go:7"}).failure()
	require.Equal(t, &CallError{Text: "panic: boom", Panic: true, Frame: "calc.go:7"}, err)
	require.EqualError(t, err, "panic: boom at calc.go:7")
}

// TestEndOfOutputIsKept: of what the function prints, the last 64 KiB at least and twice that at most.
func TestEndOfOutputIsKept(t *testing.T) {
	var all bytes.Buffer
	kept := tail{also: &all}
	write := func(letter string, n int) {
		t.Helper()
		got, err := kept.Write([]byte(strings.Repeat(letter, n)))
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	write("a", 64<<10)
	write("b", 64<<10)
	require.Equal(t, strings.Repeat("a", 64<<10)+strings.Repeat("b", 64<<10), kept.String())
	write("c", 1)
	require.Equal(t, strings.Repeat("b", 64<<10-1)+"c", kept.String())
	require.Equal(t, 128<<10+1, all.Len(), "all of it is shown")
}
