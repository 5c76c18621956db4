package cli

import (
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/journal"
)

// failed leaves the log run.jsonl of requests of a, b and c, of which b failed.
func failed(t *testing.T) *service {
	t.Helper()
	home(t)
	t.Setenv("TMPDIR", t.TempDir())
	s := serve(t)
	s.failing = "b"
	got := typed(t, "", "http", "-q", "-k", "--log", "run.jsonl", "--ok", "201,200", s.URL+"/{}", ":::", "a", "b", "c")
	require.Equal(t, outcome{1, "/a\n/c\n", ""}, got)
	s.asked = nil
	return s
}

// changed makes a log from run.jsonl in which something is replaced.
func changed(t *testing.T, path string, replace ...string) {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(read(t, "run.jsonl")) {
		line, _, sealed := strings.Cut(strings.NewReplacer(replace...).Replace(line), `,"crc":`)
		require.True(t, sealed)
		fmt.Fprintf(&text, "%s,\"crc\":\"%08x\"}\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
	}
	write(t, path, text.String())
}

// What failed runs again, with the flags of the run, and its log tells of it.
func TestRetryOfRequests(t *testing.T) {
	s := failed(t)
	before := read(t, "run.jsonl")
	require.Equal(t, outcome{status: 1}, typed(t, "", "retry", "run.jsonl"), "it is quiet, as the run was")
	require.Equal(t, []string{"GET /b"}, s.asked)
	require.True(t, strings.HasPrefix(read(t, "run.jsonl"), before), "the log goes on")
	s.failing = ""
	got := typed(t, "", "retry", "run.jsonl", "-X", "PUT", "--quiet=false")
	require.Equal(t, 0, got.status)
	require.Equal(t, "/b\n", got.out)
	require.Contains(t, got.err, "1 ok")
	require.Equal(t, []string{"GET /b", "PUT /b"}, s.asked, "flags that are given replace those of the log")
	require.Equal(t, outcome{err: "amorsize: nothing failed in run.jsonl\n"}, typed(t, "", "retry", "run.jsonl"))
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left, "the file with the failed items is removed")
}

// Another log is a new one, unless it is the same file by another name.
func TestRetryWithAnotherLog(t *testing.T) {
	s := failed(t)
	before := read(t, "run.jsonl")
	require.Equal(t, 1, typed(t, "", "retry", "run.jsonl", "--log", "other.jsonl").status)
	require.Equal(t, before, read(t, "run.jsonl"))
	require.Equal(t, 1, strings.Count(read(t, "other.jsonl"), `"type":"item"`))
	got := typed(t, "", "retry", "run.jsonl", "--log", "other.jsonl")
	require.Equal(t, 2, got.status)
	require.Contains(t, got.err, "other.jsonl exists already")
	require.Equal(t, 1, typed(t, "", "retry", "run.jsonl", "--log", "./run.jsonl").status)
	require.Equal(t, 4, strings.Count(read(t, "run.jsonl"), `"type":"item"`))
	require.Equal(t, 1, typed(t, "", "retry", "run.jsonl", "--log", "./other.jsonl", "--overwrite").status)
	require.Len(t, s.asked, 3)
}

// What can't be retried is told, with nothing run.
func TestRetryIsRefused(t *testing.T) {
	s := failed(t)
	for path, change := range map[string][2]string{
		"watch.jsonl": {"watch", `["ok","201,200"]`}, "flag.jsonl": {"http", `["oak","1"]`}, "exec.jsonl": {"exec", `["out","jsonl"]`}, "cmd.jsonl": {"run", `["nice","30"]`},
	} {
		changed(t, path, `"command":"http"`, `"command":"`+change[0]+`"`, `["ok","201,200"]`, change[1])
	}
	write(t, "text", "no log\n")
	for line, said := range map[string]string{
		"watch.jsonl":                      "watch.jsonl is the log of amorsize watch, which retry does not support",
		"flag.jsonl":                       `flag.jsonl: --oak "1": unknown flag`,
		"text":                             "text is not a log that amorsize wrote",
		"none":                             "none",
		"run.jsonl --nothing":              "unknown flag: --nothing",
		"run.jsonl --csv --tsv":            "choose one of --csv, --tsv and --jsonl",
		"run.jsonl --ok x":                 "x",
		"exec.jsonl --out x":               `--out "x": must be value or jsonl`,
		"exec.jsonl --limit -1":            "--limit -1",
		"cmd.jsonl":                        "--nice 30",
		"cmd.jsonl --nice 20":              "--nice 20",
		"cmd.jsonl --nice 0 -n --output x": `--output "x"`,
		"run.jsonl --max-body x":           `--max-body "x"`,
	} {
		got := typed(t, "", append([]string{"retry"}, strings.Fields(line)...)...)
		require.Equal(t, 2, got.status, line)
		require.Contains(t, got.err, said, line)
	}
	require.Empty(t, s.asked)
	require.Equal(t, outcome{0, s.URL + "/b\n", ""}, typed(t, "", "retry", "cmd.jsonl", "-n", "--nice", "0"))
}

// journalOf leaves the journal of a program whose only item failed, or did not.
func journalOf(t *testing.T, failed bool, args ...string) {
	t.Helper()
	was := os.Args
	defer func() { os.Args = was }() // the journal notes them
	os.Args = args
	_ = os.Remove("night.jsonl")
	j, err := journal.Open("night.jsonl", journal.Options{Run: "night", Codec: journal.Gob})
	require.NoError(t, err)
	r := journal.Record{Key: journal.KeyOf([]byte("x")), Attempts: 1}
	if failed {
		r.Failed = &journal.Failed{Item: "item", Err: "it is broken"}
	}
	require.NoError(t, j.Add(r))
	require.NoError(t, j.Close())
}

// A program runs again as it ran, with what is added; its status is the retry's.
func TestRetryOfAProgram(t *testing.T) {
	commands(t)
	home(t)
	for said, c := range map[string]outcome{`echo "$0 $*"`: {0, "x a b\n", ""}, "exit 7": {7, "", ""}, "echo bad >&2; exit 1": {1, "", "bad\n"}} {
		journalOf(t, true, "/bin/sh", "-c", said, "x", "a")
		require.Equal(t, c, typed(t, "", "retry", "night.jsonl", "b"), said)
	}
	journalOf(t, false, "/bin/sh", "-c", "exit 7")
	require.Equal(t, outcome{err: "amorsize: nothing failed in night.jsonl\n"}, typed(t, "", "retry", "night.jsonl"))
	journalOf(t, true, "/no/such/program")
	dir, err := os.Getwd()
	require.NoError(t, err)
	got := typed(t, "", "retry", "night.jsonl")
	require.Equal(t, 2, got.status)
	require.Contains(t, got.err, "amorsize: night.jsonl: ")
	require.Contains(t, got.err, "/no/such/program")
	require.Contains(t, got.err, "; run the program yourself, in "+dir+": it runs what failed\n")
	journalOf(t, true)
	got = typed(t, "", "retry", "night.jsonl")
	require.Equal(t, 2, got.status)
	require.Contains(t, got.err, "does not say how the program was run")
}
