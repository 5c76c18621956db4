package joblog_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
)

// write writes runs, each a list of items and whether they went well.
func write(t *testing.T, runs ...map[string][]bool) *joblog.Content {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	writeTo(t, path, runs...)
	content, err := joblog.Read(path)
	require.NoError(t, err)
	return content
}

func writeTo(t *testing.T, path string, runs ...map[string][]bool) {
	t.Helper()
	for i, run := range runs {
		log, _, err := joblog.Open(path, []joblog.Mode{joblog.New, joblog.Continue}[min(i, 1)])
		require.NoError(t, err)
		require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version, Command: "run"}))
		n := 0
		for text, outcomes := range run {
			for _, ok := range outcomes {
				n++
				e := joblog.Entry{Type: "item", OK: ok, Tries: 1}
				e.Describe(items.Of(n, text))
				require.NoError(t, log.Write(e))
			}
		}
		require.NoError(t, log.Close())
	}
}

func TestFailed(t *testing.T) {
	c := write(t,
		map[string][]bool{"a": {false}, "b": {true}, "twice": {false, false}},
		map[string][]bool{"a": {false}, "twice": {true, false}},
	)
	count := map[string]int{}
	for _, e := range c.Failed() {
		text, ok := e.Text()
		require.True(t, ok)
		count[text]++
	}
	require.Equal(t, map[string]int{"a": 1, "twice": 1}, count, "a later run makes up for an earlier one")
}

// TestFinished compares with a model: runs that continue each other run what is
// not over, and every item is over once in the end.
func TestFinished(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		input := map[string]int{}
		for range random.IntN(12) {
			input[fmt.Sprint(random.IntN(5))]++
		}
		var runs []map[string][]bool
		over := map[string]int{} // how many of each text went well
		for range 1 + random.IntN(4) {
			run := map[string][]bool{}
			for text, n := range input {
				for range n - over[text] {
					if random.IntN(4) == 0 {
						continue // the run was interrupted before it
					}
					ok := random.IntN(2) == 0
					run[text] = append(run[text], ok)
				}
			}
			for text, outcomes := range run {
				for _, ok := range outcomes {
					if ok {
						over[text]++
					}
				}
			}
			runs = append(runs, run)
		}
		path := filepath.Join(t.TempDir(), "log")
		writeTo(t, path, runs...)
		log, past, err := joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.NoError(t, log.Close())
		done := past.Finished(true)
		var list []string
		for text, n := range input {
			list = append(list, slices.Repeat([]string{text}, n)...)
		}
		skipped := skippedOf(done, 100, list...) // numbers that the log does not have
		for text := range input {
			require.Equal(t, over[text], skipped[text], "%v of %v", text, runs)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for text, want := range map[string]string{
		"":                            "is not a log that amorsize wrote",
		"no json\n":                   "is not a log that amorsize wrote",
		`{"type":"x"}` + "\n":         "is not a log that amorsize wrote",
		`{"type":"run","v":9}` + "\n": "its version is newer than this one knows: 9 and 2",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := joblog.Read(path)
		require.ErrorIs(t, err, joblog.ErrLog)
		require.ErrorContains(t, err, want)
	}
}

func TestBinaryItem(t *testing.T) {
	c := write(t, map[string][]bool{"\xff\x00": {false}})
	text, ok := c.Failed()[0].Text()
	require.True(t, ok)
	require.Equal(t, "\xff\x00", text)
}

// Columns and files come back with every byte; the next item of a batch does not have those of the one before.
func TestOtherBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, _, err := joblog.Open(path, joblog.New)
	require.NoError(t, err)
	require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version, Command: "run"}))
	e := joblog.Entry{Type: "item", Tries: 1, Batch: 2}
	e.Keep("R\xe9/1.out")
	var want [][]string
	for i, values := range [][]string{{"caf\xe9", "x"}, {"a", "b"}, {"", "\xff"}} {
		e.Describe(items.Row(i+1, values))
		require.NoError(t, log.Write(e))
		e.Keep("")
		want = append(want, values)
	}
	e.Describe(items.Of(4, "text"))
	require.NoError(t, log.Write(e))
	require.NoError(t, log.Close())
	content, err := joblog.Read(path)
	require.NoError(t, err)
	var got [][]string
	for _, e := range content.Failed() {
		got = append(got, e.Values)
	}
	require.Equal(t, append(want, nil), got)
	var files []string
	require.NoError(t, joblog.Files(path, func(_ string, _ int, file string, _ bool) { files = append(files, file) }))
	require.Equal(t, []string{"R\xe9/1.out"}, files)
}
