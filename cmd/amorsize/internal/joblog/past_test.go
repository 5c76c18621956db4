//go:build unix

package joblog_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
)

// TestRepeats compares what is over, whether it went well or not, with a model: the
// items of a text that a later run runs are those that had failed, and then new ones.
func TestRepeats(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		over, failed := map[string]int{}, map[string]int{}
		var runs []map[string][]bool
		for range 1 + random.IntN(5) {
			run := map[string][]bool{}
			for _, text := range []string{"a", "b", "c"} {
				outcomes := make([]bool, random.IntN(4))
				bad := 0
				for i := range outcomes {
					if outcomes[i] = random.IntN(2) == 0; !outcomes[i] {
						bad++
					}
				}
				repeats := min(len(outcomes), failed[text])
				over[text] += len(outcomes) - repeats
				failed[text] += bad - repeats
				run[text] = outcomes
			}
			runs = append(runs, run)
		}
		path := filepath.Join(t.TempDir(), "log")
		writeTo(t, path, runs...)
		log, past, err := joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.NoError(t, log.Close())
		content, err := joblog.Read(path)
		require.NoError(t, err)
		left := map[string]int{}
		for _, e := range content.Failed() {
			text, _ := e.Text()
			left[text]++
		}
		skipped := skippedOf(past.Finished(false), 100, slices.Repeat([]string{"a", "b", "c", "another"}, 20)...)
		for _, text := range []string{"a", "b", "c"} {
			require.Equal(t, over[text], skipped[text], "%v of %v", text, runs)
			require.Equal(t, failed[text], left[text], "%v of %v", text, runs)
		}
		require.Zero(t, skipped["another"])
	}
}

// TestLongItems: a line may be longer than any buffer, and the text of an item that went
// well is kept only if it is short.
func TestLongItems(t *testing.T) {
	short, long, huge := strings.Repeat("s", 1<<10), strings.Repeat("l", 1<<10+1), strings.Repeat("h", 700<<10)
	path := filepath.Join(t.TempDir(), "log")
	writeTo(t, path, map[string][]bool{short: {true}, long: {true}, huge: {false}, "after": {false}})
	content, err := joblog.Read(path)
	require.NoError(t, err)
	kept := map[string]bool{}
	for _, e := range content.Entries {
		if text, ok := e.Text(); ok {
			kept[text] = true
		}
	}
	require.Equal(t, map[string]bool{short: true, huge: true, "after": true}, kept)
	log, past, err := joblog.Open(path, joblog.Continue)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.Equal(t, map[string]int{long: 1}, skippedOf(past.Finished(true), 1, long, huge))

	e := joblog.Entry{OK: true}
	e.Describe(items.Row(3, []string{"a", "b c"}))
	require.Equal(t, []string{"a", "b c"}, e.Values)
	require.Equal(t, 3, e.N)
	e.Describe(items.Row(3, []string{long, "b"}))
	require.Nil(t, e.Values)
	_, ok := joblog.Entry{Item64: "%"}.Text()
	require.False(t, ok)
	empty := ""
	text, ok := joblog.Entry{Item: &empty}.Text()
	require.True(t, ok)
	require.Empty(t, text)
	_, ok = joblog.Entry{}.Text()
	require.False(t, ok)
}

// TestOpenRefuses: lines that no run wrote, and those of a version to come.
func TestOpenRefuses(t *testing.T) {
	const run = `{"type":"run","v":1}` + "\n"
	path := filepath.Join(t.TempDir(), "log")
	for text, want := range map[string]string{
		`{"type":"run","v":3}` + "\n":                 "its version is newer than this one knows: 3 and 2",
		`{"type":"run","v":"x"}` + "\n":               "is not a log that amorsize wrote",
		`{"type":"run","v":2}` + "\n":                 "is not a log that amorsize wrote", // without a checksum
		`{"type":"try"}` + "\n":                       "is not a log that amorsize wrote",
		`{"type":"rux`:                                "is not a log",
		`{"type":"run",` + strings.Repeat(" ", 5<<10): "", // it was cut off
		`{"type"`: "",
		"":        "",
		run + `{"type":"end","summary":{}}` + "\n" + run: "",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		log, past, err := joblog.Open(path, joblog.Continue)
		if want != "" {
			require.ErrorIs(t, err, joblog.ErrLog, "%q", text)
			require.ErrorContains(t, err, want)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.False(t, past != nil && past.Ended)
		require.NoError(t, log.Close())
	}
	for text, damaged := range map[string]int{ // a line that can't be read loses its item, and is told
		run + `{"type":"y"}` + "\n":              0, // of a later release
		run + `{"type":"try"}` + "\nnothing\n":   1,
		run + `{"type":"item","id":"00"}` + "\n": 1,
		run + `{"type":"item","id":"x0"}` + "\n": 1,
		`{"type":"item","id":""}` + "\n" + run:   1,
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		log, past, err := joblog.Open(path, joblog.Continue)
		require.NoError(t, err)
		require.NoError(t, log.Close())
		require.Equal(t, damaged, past.Damaged, text)
	}
	_, _, err := joblog.Open(filepath.Join(path, "in", "a", "file"), joblog.New)
	require.ErrorIs(t, err, joblog.ErrLog)
	_, err = joblog.Read(filepath.Join(path, "nothing"))
	require.ErrorIs(t, err, joblog.ErrLog)
}

// TestOverwrite: a run that has ended makes room, and what is written then stands alone.
func TestOverwrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	writeTo(t, path, map[string][]bool{"a": {false}})
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode(), "a new log is its owner's")
	log, past, err := joblog.Open(path, joblog.Continue)
	require.NoError(t, err)
	require.False(t, past.Ended)
	require.Equal(t, "run", past.Header.Command)
	require.NoError(t, log.Write(joblog.End{Type: "end", Summary: []byte("{}")}))
	require.NoError(t, log.Close())
	content, err := joblog.Read(path)
	require.NoError(t, err)
	require.Equal(t, "{}", string(content.End))
	log, past, err = joblog.Open(path, joblog.Overwrite)
	require.NoError(t, err)
	require.Nil(t, past)
	require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version, Command: "http"}))
	require.Error(t, log.Write(func() {}), "that is not JSON")
	require.NoError(t, log.Close())
	content, err = joblog.Read(path)
	require.NoError(t, err)
	require.Equal(t, "http", content.Header.Command)
	require.Empty(t, content.Entries)
	require.Nil(t, content.End)
}

// TestNoFile: what is no regular file has neither a past nor an end that could be cut off.
func TestNoFile(t *testing.T) {
	log, past, err := joblog.Open(os.DevNull, joblog.New)
	require.NoError(t, err)
	require.Nil(t, past)
	require.NoError(t, log.Write(joblog.End{Type: "end"}))
	require.NoError(t, log.Sync())
	require.NoError(t, log.Close())

	full, _, err := joblog.Open("/dev/full", joblog.New)
	if err != nil {
		t.Skip("there is no /dev/full here:", err)
	}
	require.Error(t, full.Write(joblog.End{Type: "end"}))
	require.NoError(t, full.Close())
}

// TestInUse: while a process writes to a log, another one that opens it is told which.
func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	holder := exec.Command(os.Args[0], "-test.run", "TestHolder$", "-test.v")
	holder.Env = append(os.Environ(), "HOLD_LOG="+path)
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "held"; {
	}
	_, _, err = joblog.Open(path, joblog.Continue)
	require.ErrorIs(t, err, joblog.ErrLog)
	require.ErrorIs(t, err, joblog.ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", holder.Process.Pid))
	require.NoError(t, stdin.Close())
	_, _ = io.Copy(io.Discard, stdout)
	require.NoError(t, holder.Wait())
	log, _, err := joblog.Open(path, joblog.Continue)
	require.NoError(t, err)
	require.NoError(t, log.Close())
}

// TestHolder is the other process: it holds a log until its input ends.
func TestHolder(t *testing.T) {
	path := os.Getenv("HOLD_LOG")
	if path == "" {
		t.Skip("only as the other process of TestInUse")
	}
	log, _, err := joblog.Open(path, joblog.New)
	require.NoError(t, err)
	require.NoError(t, log.Write(joblog.Header{Type: "run", V: joblog.Version, PID: os.Getpid()}))
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, log.Close())
}
