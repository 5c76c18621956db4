package output

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// outputs returns an output and what it has written so far.
func outputs(t *testing.T) (e *Output, written func() (out, errs string)) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		files[i] = f
	}
	read := func(i int) string {
		raw, err := os.ReadFile(files[i].Name())
		require.NoError(t, err)
		return string(raw)
	}
	return &Output{term: ui.NewTerminal(files[0], files[1], ui.ColorNever)}, func() (string, string) { return read(0), read(1) }
}

// TestTurns: the first job's lines are there at once, those of others when those before
// them are over, whatever order they are written in and however many wait.
func TestTurns(t *testing.T) {
	e, written := outputs(t)
	turns := newTurns(e)
	defer turns.close()
	say := func(place int, text string, stderr bool) {
		t.Helper()
		require.NoError(t, turns.of(place).line("", []byte(text), stderr))
	}
	check := func(out, errs string) {
		t.Helper()
		o, s := written()
		require.Equal(t, out, o)
		require.Equal(t, errs, s)
	}
	say(1, "b1\n", false)
	say(1, "e1\n", true)
	say(3, "d1\n", false)
	check("", "")
	say(0, "a1\n", false)
	check("a1\n", "")
	require.NoError(t, turns.over(0))
	check("a1\nb1\n", "e1\n")
	say(1, "b2\n", false)
	check("a1\nb1\nb2\n", "e1\n")
	require.NoError(t, turns.over(1))
	check("a1\nb1\nb2\n", "e1\n")
	say(2, "c1\n", false)
	check("a1\nb1\nb2\nc1\n", "e1\n")
	require.NoError(t, turns.over(2))
	check("a1\nb1\nb2\nc1\nd1\n", "e1\n")
	// Those that do not come to their end say nothing, and hold up nobody.
	say(4, "never\n", false)
	say(5, "f1\n", false)
	require.NoError(t, turns.over(5))
	check("a1\nb1\nb2\nc1\nd1\nf1\n", "e1\n")
	require.NoError(t, turns.over(6)) // it had nothing to say
	say(7, "g1\n", false)
	check("a1\nb1\nb2\nc1\nd1\nf1\ng1\n", "e1\n")
	say(9, "left\n", false)
}

// TestTurnsAtOnce: many jobs at the same time, and much that waits.
func TestTurnsAtOnce(t *testing.T) {
	e, written := outputs(t)
	turns := newTurns(e)
	defer turns.close()
	const jobs, lines = 40, 300
	var want bytes.Buffer
	ended := make([]chan struct{}, jobs)
	for i := range jobs {
		ended[i] = make(chan struct{})
		for n := range lines {
			fmt.Fprintf(&want, "%d: %d\n", i, n)
		}
	}
	var group sync.WaitGroup
	for _, i := range rand.Perm(jobs) {
		group.Go(func() {
			defer close(ended[i])
			for n := range lines {
				if err := turns.of(i).line("", fmt.Appendf(nil, "%d: %d\n", i, n), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range jobs {
		<-ended[i]
		require.NoError(t, turns.over(i))
	}
	group.Wait()
	out, _ := written()
	require.True(t, want.String() == out)
}

// TestTurnsFull: what can't be kept, or passed on, is the failure of its own job, and what
// follows it there is not passed on.
func TestTurnsFull(t *testing.T) {
	e, written := outputs(t)
	turns := newTurns(e)
	defer turns.close()
	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	large := []byte(strings.Repeat("x", 5000) + "\n")
	require.ErrorContains(t, turns.of(1).line("", large, false), "can't be kept in")
	require.Error(t, turns.of(1).line("", []byte("after a hole\n"), false))
	require.NoError(t, turns.of(2).line("", []byte("c\n"), false))
	require.NoError(t, turns.of(0).line("", []byte("a\n"), false))
	require.NoError(t, turns.over(0))
	require.ErrorContains(t, turns.over(1), "can't be kept in")
	out, _ := written()
	require.Equal(t, "a\n", out, "the run ends by that")

	closed, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	turns = newTurns(&Output{term: ui.NewTerminal(closed, closed, ui.ColorNever)})
	require.ErrorIs(t, turns.of(0).line("", []byte("a\n"), false), os.ErrClosed)
	require.NoError(t, turns.of(1).line("", []byte("b\n"), true))
	require.NoError(t, turns.of(2).line("", []byte("c\n"), false))
	for place := range 3 {
		require.ErrorIs(t, turns.over(place), os.ErrClosed)
	}
}

// What waits may be an empty line. Where nothing waits, the progress is not drawn anew.
func TestTurnsOfLittle(t *testing.T) {
	e, written := outputs(t)
	turns := newTurns(e)
	defer turns.close()
	e.term.Progress("half")
	require.NoError(t, turns.of(1).line("", []byte("\n"), false))
	require.NoError(t, turns.over(0))
	out, errs := written()
	require.Equal(t, "\n", out)
	require.Equal(t, "half", errs)
}

// Jobs that are over take no memory, whether they came to their end or not. What one of those writes that did not is
// not passed on, and holds up nobody.
func TestTurnsThatAreOver(t *testing.T) {
	e, written := outputs(t)
	turns := newTurns(e)
	lost := turns.of(1)
	require.NoError(t, lost.line("", []byte("b\n"), false))
	require.NoError(t, turns.of(3).line("", []byte("d\n"), false))
	require.NoError(t, turns.over(3))
	require.Empty(t, turns.lines)
	require.NoError(t, lost.line("", []byte("late\n"), false))
	out, _ := written()
	require.Equal(t, "d\n", out)
	turns.close()
	turns.close() // as many times as one likes
}

// Lines that were kept in files hold none of them open in the end, whether they were passed on or not.
func TestTurnsCloseFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("which files are open is not known elsewhere")
	}
	large := []byte(strings.Repeat("x", 5000) + "\n")
	for name, c := range map[string]struct {
		waits, over []int // the jobs that have lines, and those that end
	}{
		"passed on":     {[]int{1}, []int{0, 1}},
		"never ended":   {[]int{1, 2}, []int{3}},
		"still running": {[]int{1, 2}, []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			o, _ := open(t, Config{InOrder: true})
			for _, place := range c.waits {
				for _, stderr := range []bool{false, true} {
					require.NoError(t, o.turns.of(place).line("", large, stderr))
				}
			}
			kept := opened(t, dir)
			require.Equal(t, 2*len(c.waits), kept)
			for _, place := range c.over {
				require.NoError(t, o.Over(ended(place+1, "a", "", "")))
			}
			o.Close()
			require.Zero(t, opened(t, dir))
		})
	}
}

// opened returns how many files that keep lines in dir are open.
func opened(t *testing.T, dir string) (n int) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range list {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if err == nil && strings.HasPrefix(name, filepath.Join(dir, "amorsize-")) {
			n++
		}
	}
	return n
}
