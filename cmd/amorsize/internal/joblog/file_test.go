//go:build linux || darwin

package joblog_test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/journal"
)

// TestTorn cuts a log at every byte: however it was cut, it is continued twice,
// and every line that was whole still counts.
func TestTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	writeTo(t, path, map[string][]bool{"a": {true}})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	header := strings.IndexByte(string(whole), '\n') + 1
	for cut := range whole {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		for again := range 2 {
			log, past, err := joblog.Open(path, joblog.Continue)
			require.NoError(t, err, "cut at %d, again %d", cut, again)
			require.Equal(t, cut < header && again == 0, past == nil)
			if again == 0 {
				require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version}))
				e := joblog.Entry{Type: "item", OK: true}
				e.Describe(items.Of(1, "b"))
				require.NoError(t, log.Write(e))
			} else {
				require.Equal(t, map[string]int{"b": 1}, skippedOf(past.Finished(false), 1, "b"))
			}
			require.NoError(t, log.Close())
		}
		_, err := joblog.Read(path)
		require.NoError(t, err)
	}
}

// TestShortWrite: of a line for which there is no room nothing stays, so that one
// for which there is room later is a line of its own.
func TestShortWrite(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	path := filepath.Join(t.TempDir(), "log")
	log, _, err := joblog.Open(path, joblog.New)
	require.NoError(t, err)
	require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version}))
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	small := limit
	small.Cur = 10 + uint64(len(before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
	err = log.Write(joblog.Entry{Type: "item", ID: strings.Repeat("0", 32)})
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	require.ErrorIs(t, err, syscall.EFBIG)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.NoError(t, log.Close())
}

// TestRefusals: what is there is not lost.
func TestRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for text, modes := range map[string][]joblog.Mode{
		"a\nb\n":                      {joblog.New, joblog.Continue, joblog.Overwrite}, // no log
		"fragment":                    {joblog.New, joblog.Continue, joblog.Overwrite},
		`{"type":"run","v":1}` + "\n": {joblog.New, joblog.Overwrite}, // it has not ended
		`{"type":"run","v":1}` + "\n" + `{"type":"end","summary":{"stopped":"interrupted"}}` + "\n": {joblog.New, joblog.Overwrite},
		`{"type":"run","v":1}` + "\n" + `{"type":"end","summary":{}}` + "\n":                        {joblog.New},
	} {
		for _, mode := range modes {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, _, err := joblog.Open(path, mode)
			require.ErrorIs(t, err, joblog.ErrLog, "%q", text)
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(`{"type":"run","v":1}`+"\n"), 0o600))
	log, past, err := joblog.Open(path, joblog.Continue)
	require.NoError(t, err)
	require.NotNil(t, past)
	require.NoError(t, log.Close())
}

// TestHeadless: where the first line is damaged or gone, the lines after it are not lost.
func TestHeadless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	writeTo(t, path, map[string][]bool{"a": {true}})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	header, rest, _ := strings.Cut(string(whole), "\n")
	for first, damaged := range map[string]int{
		strings.Replace(header, `"v"`, "\"\x00\"", 1) + "\n": 1,
		"\ufeff" + header + "\n":                             1,
		"":                                                   0,
	} {
		text := first + rest
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		for mode, want := range map[joblog.Mode]string{
			joblog.New:       "exists already, and its first line is damaged or gone: --resume continues it",
			joblog.Overwrite: "has not ended, and its first line is damaged or gone: --resume continues it",
		} {
			_, _, err := joblog.Open(path, mode)
			require.ErrorIs(t, err, joblog.ErrLog, "%q", text)
			require.ErrorContains(t, err, want)
		}
		_, err := joblog.Read(path)
		require.ErrorIs(t, err, joblog.ErrLog)
		require.ErrorContains(t, err, "its first line is damaged or gone, which has the command: start that again with --resume")
		log, past, err := joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.Equal(t, damaged, past.Damaged)
		require.Zero(t, past.Header)
		require.Equal(t, map[string]int{"a": 1}, skippedOf(past.Finished(false), 1, "a"))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
		require.NoError(t, log.Write(joblog.End{Type: "end", Summary: []byte(`{"cmd":"run"}`)}))
		require.NoError(t, log.Close())
		log, past, err = joblog.Open(path, joblog.Overwrite)
		require.NoError(t, err, "it has ended for sure")
		require.Nil(t, past)
		require.NoError(t, log.Close())
	}
}

// TestLaterHeadless: what follows an end is of a run that has not ended, whatever became of that run's first line.
func TestLaterHeadless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	writeTo(t, path, map[string][]bool{"a": {true}})
	for _, text := range []string{"a header\n", ""} {
		log, _, err := joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.NoError(t, log.Write(joblog.End{Type: "end", Summary: []byte("{}")}))
		require.NoError(t, log.Close())
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(before, text...), 0o600))
		log, _, err = joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.NoError(t, log.Write(joblog.Entry{Type: "item", ID: items.Of(2, "b").Identity()}))
		require.NoError(t, log.Close())
		_, _, err = joblog.Open(path, joblog.Overwrite)
		require.ErrorContains(t, err, "has not ended: --resume continues it")
	}
}

// TestHeadlessJournal: the journal of a program is known by its other lines, too.
func TestHeadlessJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	j, err := journal.Open(path, journal.Options{Run: "v7"})
	require.NoError(t, err)
	require.NoError(t, j.Add(journal.Record{Attempts: 1, Result: []byte(`{"wall_s":1}`)}))
	require.NoError(t, j.Add(journal.Record{Index: 1, Attempts: 1, Result: []byte("1")}))
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.Replace(string(whole), "v7", "v8", 1), "\n")
	require.Len(t, lines, 5)
	for _, text := range []string{
		lines[0] + lines[1] + lines[3], // it has ended
		lines[0] + lines[2],
	} {
		for _, mode := range []joblog.Mode{joblog.New, joblog.Continue, joblog.Overwrite} {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, _, err := joblog.Open(path, mode)
			require.ErrorContains(t, err, "is the journal of a program")
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		}
	}
}

func TestFilesTellsOfWhatItemsHave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, _, err := joblog.Open(path, joblog.New)
	require.NoError(t, err)
	require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version, Command: "run"}))
	for n, e := range []joblog.Entry{{Type: "try"}, {Type: "item", OK: true, File: "R/a"}, {Type: "item"}, {Type: "item", File: "R/b"}} {
		e.Describe(items.Of(n, strconv.Itoa(n)))
		require.NoError(t, log.Write(e))
	}
	require.NoError(t, log.Close())
	var got []string
	add := func(id string, n int, file string, ok bool) { got = append(got, fmt.Sprint(id[:4], " ", n, file, ok)) }
	require.NoError(t, joblog.Files(path, add))
	first, third := items.Of(1, "1").Identity()[:4], items.Of(3, "3").Identity()[:4]
	require.Equal(t, []string{first + " 1R/atrue", third + " 3R/bfalse"}, got)
	require.NoError(t, joblog.Files(filepath.Join(t.TempDir(), "none"), add), "a file that is not there has none")
}
