package rerun_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/rerun"
	"github.com/amorsize/amorsize/journal"
)

// recorded writes the journal of a program that was run with these arguments. Its first items failed, the others did
// not. A run that was killed leaves no last line.
func recorded(t *testing.T, args []string, failed, well int, killed bool) (path string) {
	t.Helper()
	was := os.Args
	defer func() { os.Args = was }() // the journal notes them
	os.Args = args
	path = filepath.Join(t.TempDir(), "night.jsonl")
	j, err := journal.Open(path, journal.Options{Run: "thumbnails v2", Codec: journal.Gob})
	require.NoError(t, err)
	for i := range failed + well {
		r := journal.Record{Index: i, Key: keyOf(i), Attempts: 1}
		if i < failed {
			r.Failed = &journal.Failed{Item: "item", Err: "it is broken"}
		}
		require.NoError(t, j.Add(r))
	}
	require.NoError(t, j.Sync())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	if killed {
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	return path
}

func keyOf(i int) journal.Key { return journal.KeyOf([]byte{byte(i)}) }

// toRun returns how many of the first items the journal does not know the outcome of, so that they run.
func toRun(t *testing.T, path string, items int) (n int) {
	t.Helper()
	j, err := journal.View(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	for i := range items {
		if _, known := j.Find(keyOf(i), false); !known {
			n++
		}
	}
	return n
}

// A program runs again where it was, as it was and with what is added, and what failed runs there.
func TestProgram(t *testing.T) {
	for name, c := range map[string]struct {
		args         []string
		failed, well int
		killed       bool
		want         string // "" if there is nothing to run
	}{
		"one failed":               {[]string{"/bin/night", "-n", "3"}, 1, 1, false, "/bin/night -n 3 --more x"},
		"several failed":           {[]string{"/bin/night"}, 2, 1, false, "/bin/night --more x"},
		"one failed before a kill": {[]string{"/bin/night", "a b"}, 1, 1, true, "/bin/night a b --more x"},
		"killed":                   {[]string{"/bin/night", "a"}, 0, 2, true, "/bin/night a --more x"},
		"not UTF-8":                {[]string{"/bin/night", "caf\xe9"}, 1, 0, false, "/bin/night caf\xe9 --more x"},
		"nothing failed":           {[]string{"/bin/night", "a"}, 0, 2, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := recorded(t, c.args, c.failed, c.well, c.killed)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			program, err := rerun.Program(path, []string{"--more", "x"})
			require.NoError(t, err)
			require.Equal(t, c.failed, toRun(t, path, c.failed+c.well))
			if c.failed == 0 {
				after, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, string(before), string(after), "a journal in which nothing failed stays as it is")
			}
			if c.want == "" {
				require.Nil(t, program)
				return
			}
			dir, err := os.Getwd()
			require.NoError(t, err)
			require.Equal(t, []string{c.want, dir}, []string{strings.Join(program.Args, " "), program.Dir})
			require.Equal(t, []any{os.Stdin, os.Stdout, os.Stderr}, []any{program.Stdin, program.Stdout, program.Stderr})
		})
	}
}

func TestProgramFails(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		text string
	}{
		"no journal":   {filepath.Join(t.TempDir(), "none"), "none"},
		"no arguments": {recorded(t, []string{}, 1, 0, false), "does not say how the program was run: run the program yourself"},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := rerun.Program(c.path, nil)
			require.Nil(t, program)
			var status *exit.Error
			require.ErrorAs(t, err, &status)
			require.Equal(t, exit.BadUsage, status.Code)
			require.ErrorContains(t, err, c.text)
		})
	}
}
