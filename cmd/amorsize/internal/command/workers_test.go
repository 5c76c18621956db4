//go:build unix

package command_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// worker is a shell that reads lines and does that with each.
func worker(do string) command.Config {
	return command.Config{Argv: []string{"sh", "-c", "while read -r x; do " + do + "; done"}, Worker: command.LineWorker}
}

func TestWorkerAnswers(t *testing.T) {
	r := runner(t, worker(`echo "$$ got $x"`), around(t))
	pids := map[int]string{}
	for i, item := range []string{"a", "b", "c d"} {
		for slot := range 2 {
			j := job(2*i+slot, item)
			out, _, err := attempt(t, r, j, slot)
			require.NoError(t, err)
			require.Positive(t, j.Wall)
			pid, rest, _ := strings.Cut(out, " ")
			require.Equal(t, "got "+item+"\n", rest)
			if i > 0 {
				require.Equal(t, pids[slot], pid, "the slot's process is kept")
			}
			pids[slot] = pid
		}
	}
	require.NotEqual(t, pids[0], pids[1])
	r.Settle()
}

func TestWorkerJSON(t *testing.T) {
	cfg := worker(`case $x in *bad*) echo '{"error": "it is bad"}';; *odd*) echo oops;; *) echo "{\"item\": $x}";; esac`)
	cfg.Worker = command.JSONLWorker
	r := runner(t, cfg, around(t))
	out, _, err := attempt(t, r, job(1, "a"), 0)
	require.NoError(t, err)
	require.JSONEq(t, `{"item": "a"}`, out)
	_, _, err = attempt(t, r, job(2, "bad"), 0)
	require.EqualError(t, err, process.ErrCommand.Error()+": it is bad")
	_, _, err = attempt(t, r, job(3, "odd"), 0)
	require.ErrorContains(t, err, `is not JSON: "oops\n"`)
	_, _, err = attempt(t, r, job(4, "b"), 0)
	require.NoError(t, err, "the process goes on")
}

// A process that ends, or takes too long, fails its item, and the next item has another.
func TestWorkerEnds(t *testing.T) {
	r := runner(t, worker(`case $x in die) exit 3;; *) echo "$x";; esac`), around(t))
	for range 2 {
		_, _, err := attempt(t, r, job(1, "die"), 0)
		require.ErrorIs(t, err, process.ErrCommand)
		require.ErrorContains(t, err, "ended without an answer (exit 3)")
		out, _, err := attempt(t, r, job(2, "a"), 0)
		require.NoError(t, err)
		require.Equal(t, "a\n", out)
	}
	r = runner(t, command.Config{Argv: []string{"true"}, Worker: command.LineWorker}, around(t))
	_, _, err := attempt(t, r, job(1, "a"), 0)
	require.ErrorContains(t, err, "without an answer (exit 0)")
	r = runner(t, command.Config{Argv: []string{"sh", "-c", `read -r x; echo "$x"; dd bs=1 count=1 of=/dev/null 2>/dev/null; exit 4`}, Worker: command.LineWorker}, around(t))
	_, _, err = attempt(t, r, job(1, "a"), 0)
	require.NoError(t, err)
	_, _, err = attempt(t, r, job(2, "b"), 0)
	require.ErrorContains(t, err, "without an answer (exit 4)", "it had begun to read the item")
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	r = runner(t, command.Config{Argv: []string{program}, Worker: command.LineWorker}, around(t))
	require.NoError(t, os.Remove(program))
	_, _, err = attempt(t, r, job(1, "a"), 0)
	var spawn *process.SpawnError
	require.ErrorAs(t, err, &spawn)
}

// An item that a process did not read any more, since it had ended by itself, is the next one's.
func TestWorkerEndsUnasked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a pipe holds is not known elsewhere")
	}
	r := runner(t, command.Config{Argv: []string{"sh", "-c", `read -r x; echo "$x"; exit 3`}, Worker: command.LineWorker}, around(t))
	for i, item := range []string{"a", "b", "c"} {
		out, _, err := attempt(t, r, job(1+i, item), 0)
		require.NoError(t, err)
		require.Equal(t, item+"\n", out)
	}
}

// A worker is ended with its runner, by the end of its input.
func TestWorkerClosed(t *testing.T) {
	over := filepath.Join(t.TempDir(), "over")
	in := around(t)
	in.Grace = time.Minute // it ends by itself, however long a busy machine takes
	r := runner(t, command.Config{Argv: []string{"sh", "-c", `while read -r x; do echo "$x"; done; : >` + over}, Worker: command.LineWorker}, in)
	_, _, err := attempt(t, r, job(1, "a"), 0)
	require.NoError(t, err)
	r.Close()
	require.FileExists(t, over)
}

func TestWorkerTimeout(t *testing.T) {
	in := around(t)
	limit := time.Duration(0)
	in.Timeout = func() time.Duration { return limit }
	r := runner(t, worker(`case $x in slow) sleep 1000;; *) echo "$x";; esac`), in)
	_, _, err := attempt(t, r, job(1, "a"), 0)
	require.NoError(t, err)
	var late *process.TimeoutError
	for item, least := range map[string]time.Duration{"slow": 10 * time.Millisecond, "a": 1} {
		limit = least
		_, _, err = attempt(t, r, job(2, item), 0)
		require.ErrorAs(t, err, &late)
		require.Equal(t, least, late.After)
	}
	limit = 0
	_, _, err = attempt(t, r, job(3, "b"), 0)
	require.NoError(t, err)
}

// Lines that are no answers make the answers doubtful: the item fails, or the run is
// stopped where a result has been passed on.
func TestWorkerAstray(t *testing.T) {
	in := around(t)
	var stopped error
	in.Stop = func(err error) { stopped = err }
	r := runner(t, worker(`printf '%s\nmore\n' "$x"`), in)
	_, _, err := attempt(t, r, job(1, "a"), 0)
	require.ErrorContains(t, err, "the worker wrote extra lines")
	require.NoError(t, stopped, "nothing has been passed on")

	dir := t.TempDir() // the worker waits there for us to have had its answer
	r = runner(t, worker(`case $x in a*) echo a; until [ -e `+dir+`/go ]; do :; done; echo late; : >`+dir+`/done;; *) echo "$x";; esac`), in)
	out, _, err := attempt(t, r, job(1, "a"), 0)
	require.NoError(t, err)
	require.Equal(t, "a\n", out)
	touch(t, dir, "go")
	await(t, dir, "done")
	r.Settle()
	require.ErrorContains(t, stopped, `the answer that item 1 got ("a") may be another item's`)
	stopped = nil
	out, _, err = attempt(t, r, job(2, "b"), 0)
	require.NoError(t, err, "by another process")
	require.Equal(t, "b\n", out)
	require.ErrorContains(t, stopped, "item 1")
}

// A line that comes too late to be seen beforehand, and before the next item was read, stops the run all the same.
func TestWorkerAstrayLate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a pipe holds is not known elsewhere")
	}
	dir, in := t.TempDir(), around(t)
	var stopped error
	in.Stop = func(err error) { stopped = err }
	asked := 0
	in.Timeout = func() time.Duration { // it is asked for when a process has been chosen
		if asked++; asked == 2 {
			touch(t, dir, "go")
			await(t, dir, "done")
		}
		return 0
	}
	long := strings.Repeat("a", 61)
	r := runner(t, worker(`case $x in a*) echo a; until [ -e `+dir+`/go ]; do :; done; echo late; : >`+dir+`/done; sleep 1000;; *) echo "$x";; esac`), in)
	_, _, err := attempt(t, r, job(1, long), 0)
	require.NoError(t, err)
	out, _, err := attempt(t, r, job(2, "b"), 0)
	require.NoError(t, err, "by another process")
	require.Equal(t, "b\n", out)
	require.ErrorContains(t, stopped, `the answer that item 1 got ("`+long[:59]+`…") may be another item's`)
}
