package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// A run that goes on with a log leaves out what is over in it.
func TestResume(t *testing.T) {
	b := newBench(t, "a", "b", "c", "d")
	b.cfg.Log.Path = b.path("log")
	b.cfg.Flags = [][2]string{{"jobs", "1"}, {"sh", "first"}}
	b.cfg.Ends = Ends{HaltText: "1"}
	var err error
	b.cfg.Ends.Halt, err = policies.ParseHalt("1")
	require.NoError(t, err)
	r := newRunner(fails("b"))
	status, _ := b.run(r)
	require.Equal(t, exit.Halted, status)
	require.Equal(t, []string{"a", "b"}, r.tried)
	require.Contains(t, b.read("stderr"), "again: the same command with --resume")

	_, err = b.run(newRunner(nil))
	require.Error(t, err, "a log that is there is not added to")

	b.cfg.Ends = Ends{}
	b.cfg.Log.Resume = true
	r = newRunner(nil)
	status, _ = b.run(r)
	require.Equal(t, exit.OK, status)
	require.Equal(t, []string{"c", "d"}, r.tried)
	require.Contains(t, b.read("stderr"), "2 skipped (already done)")
	require.NotContains(t, b.read("stderr"), "another command")

	b.cfg.Log.Resume, b.cfg.Log.ResumeFailed = false, true
	b.cfg.Args = []string{"other", "-H", "X-Key: secret"}
	r = newRunner(nil)
	status, _ = b.run(r)
	require.Equal(t, exit.OK, status)
	require.Equal(t, []string{"b"}, r.tried)
	require.Contains(t, b.read("stderr"), "the log is of another command: run do first;")

	require.NotContains(t, b.read("stderr"), "damaged")
	log := b.read("log")
	require.NoError(t, os.WriteFile(b.path("log"), []byte(log+"{\"n\":1,\n"), 0o600))
	b.cfg.Args, b.cfg.Flags = []string{"do"}, [][2]string{{"jobs", "1"}, {"sh", "second"}}
	_, _ = b.run(newRunner(nil))
	require.Contains(t, b.read("stderr"), "damaged lines of the log skipped: 1;")
	require.Equal(t, 2, strings.Count(b.read("stderr"), "another command: run do first;"), "the script is another one")
	require.NoError(t, os.WriteFile(b.path("log"), []byte(log), 0o600))

	headless := slices.DeleteFunc(strings.SplitAfter(log, "\n"), func(line string) bool { return strings.HasPrefix(line, `{"type":"run"`) })
	require.NoError(t, os.WriteFile(b.path("headless"), []byte("damaged\n"+strings.Join(headless, "")), 0o600))
	b.cfg.Log.Path = b.path("headless")
	r = newRunner(nil)
	status, _ = b.run(r)
	require.Equal(t, exit.OK, status)
	require.Empty(t, r.tried)
	require.Equal(t, 2, strings.Count(b.read("stderr"), "damaged lines of the log skipped: 1;"))
	require.Contains(t, b.read("stderr"), "the first line of the log, which has its command, is damaged or gone;")
	require.Equal(t, 2, strings.Count(b.read("stderr"), "another command"))
	b.cfg.Log.Path = b.path("log")

	b.cfg.Flags = nil
	b.cfg.Log = Log{Path: b.path("log"), Extend: true, From: b.path("log")}
	r = newRunner(nil)
	status, _ = b.run(r)
	require.Equal(t, exit.OK, status)
	require.Len(t, r.tried, 4, "nothing is left out")
	require.Equal(t, 4, strings.Count(b.read("log"), `"type":"run"`))

	b.cfg.Log = Log{Path: b.path("log"), Overwrite: true}
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.Equal(t, 1, strings.Count(b.read("log"), `"type":"run"`))
}

// The log has each failed attempt, each item, and the end.
func TestLog(t *testing.T) {
	b := newBench(t, "a", "\xff")
	b.cfg.Log.Path, b.cfg.Flags = b.path("log"), [][2]string{{"retries", "1"}}
	b.options = policies.Options{Retries: 1, Backoff: "1ms"}
	status, _ := b.run(newRunner(fails("\xff")))
	require.Equal(t, exit.Failed, status)
	var lines []map[string]any
	for line := range strings.Lines(b.read("log")) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		lines = append(lines, m)
	}
	var kinds []any
	of := map[any]map[string]any{} // the lines of what became of items, by number
	for _, m := range lines {
		kinds = append(kinds, m["type"])
		if m["type"] == "item" {
			of[m["n"]] = m
		}
	}
	require.ElementsMatch(t, []any{"run", "item", "try", "try", "item", "end"}, kinds)
	require.NotContains(t, of[1.0], "batch")
	require.Equal(t, []any{[]any{"retries", "1"}}, lines[0]["flags"])
	require.Equal(t, []any{"a", true, 1.0}, []any{of[1.0]["item"], of[1.0]["ok"], of[1.0]["tries"]})
	require.Equal(t, []any{"/w==", false, 2.0, "exit:3"}, []any{of[2.0]["item64"], of[2.0]["ok"], of[2.0]["tries"], of[2.0]["why"]})
	require.Equal(t, "end", lines[5]["type"])
	require.NotNil(t, lines[5]["summary"])
}

// An attempt is logged with its own error, before it is known what becomes of the item.
func TestLogOfAttempts(t *testing.T) {
	b := newBench(t, "a")
	b.cfg.Log.Path, b.options = b.path("log"), policies.Options{Retries: 1, Backoff: "1ms"}
	tries := 0
	status, _ := b.run(newRunner(func(context.Context, *jobs.Job) error {
		if tries++; tries == 1 {
			return errors.New("the service is away")
		}
		return nil
	}))
	require.Equal(t, exit.OK, status)
	require.Regexp(t, `"type":"try",.*"err":"the service is away"`, b.read("log"))
}

// Where items are not read from standard input, that file is one like any other.
func TestNotApart(t *testing.T) {
	for _, source := range []items.Source{{Range: "2"}, {Args: []string{"a"}, UseArgs: true}, {Rows: [][]string{{"a"}}}} {
		b := newBench(t)
		b.source, b.cfg.Summary.File = source, b.path("stdin")
		status, err := b.run(newRunner(nil))
		require.NoError(t, err)
		require.Equal(t, exit.OK, status)
	}
}

// A batch has a line for each item, and the file of its result in the first of them.
func TestLogOfBatches(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.cfg.Log.Path, b.cfg.Batch, b.results = b.path("log"), jobs.BatchSize{Fixed: 2}, b.path("results")
	status, _ := b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	log, _, _ := strings.Cut(b.read("log"), `"type":"end"`)
	require.Equal(t, 2, strings.Count(log, `"batch":2`))
	require.Equal(t, 2, strings.Count(log, `"file":`))
	require.Equal(t, "did a\n", b.read("results/1.out"))
	require.Equal(t, "did c\n", b.read("results/3.out"))
}

// Files that are read, or written to otherwise, are not written to.
func TestApart(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.WriteFile(b.path("items"), []byte("a\nb\n"), 0o600))
	require.NoError(t, os.WriteFile(b.path("itself"), []byte("itself\n"), 0o600))
	for name, c := range map[string]struct {
		change func(*bench)
		text   string
	}{
		"the items":      {func(b *bench) { b.source = items.Source{File: b.path("items")}; b.cfg.Log.Path = b.path("items") }, "--log @items: the items are read from that file, and would be lost"},
		"standard input": {func(b *bench) { b.source = items.Source{}; b.cfg.Summary.File = b.path("stdin") }, "would be lost"},
		"a list": {func(b *bench) {
			b.source = items.Source{Lists: []items.List{{Values: []string{"x"}}, {File: b.path("items")}}}
			b.cfg.Log.Path = b.path("items")
		}, "would be lost"},
		"standard output": {func(b *bench) { b.cfg.Log.Path = b.path("stdout") }, "--log @stdout: standard output goes to that file"},
		"standard error":  {func(b *bench) { b.cfg.Summary.File = b.path("stderr") }, "--summary @stderr: standard error goes to that file"},
		"each other":      {func(b *bench) { b.cfg.Log.Path, b.cfg.Summary.File = b.path("new"), b.dir+"/./new" }, "that is the log"},
		"a result": {func(b *bench) {
			b.source = items.Source{Args: []string{"log"}, UseArgs: true}
			b.cfg.Log.Path, b.results = b.path("log"), b.path("{}")
		}, "which is the log"},
		"a result over the items": {func(b *bench) {
			b.source, b.results = items.Source{File: b.path("itself")}, b.path("{}")
		}, "from which the items are read"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{t: t, dir: b.dir, streams: b.streams, cfg: b.cfg, source: items.Source{Args: []string{"a"}, UseArgs: true}}
			c.change(b)
			r := newRunner(nil)
			status, err := b.run(r)
			require.Equal(t, exit.BadUsage, status)
			require.ErrorContains(t, err, strings.ReplaceAll(c.text, "@", b.path("")+"/"))
			require.Empty(t, r.tried)
		})
	}
	require.Equal(t, "a\nb\n", b.read("items"))
}

// Once the log can't be written, no result is passed on: it would come twice.
func TestLogFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no full device here")
	}
	b := newBench(t, "a", "b")
	b.cfg.Log.Path = "/dev/full"
	status, err := b.run(newRunner(nil))
	require.Equal(t, exit.BadUsage, status)
	require.ErrorContains(t, err, "can't write the log")
	require.Empty(t, b.read("stdout"))

	b = newBench(t, "a")
	env, out := b.open()
	set, err := policies.New(policies.Options{})
	require.NoError(t, err)
	b.cfg.Log, b.cfg.Policies = Log{Path: b.path("log")}, set
	s, err := New(b.cfg, env, out, newRunner(nil))
	require.NoError(t, err)
	require.NoError(t, s.log.log.Close(), "it can't be written to from now on")
	over := func(text string) error {
		return audience{s}.Over(&jobs.Job{Batch: []items.Item{items.Of(1, text)}, Outcome: process.Outcome{Out: process.Bytes([]byte(text))}})
	}
	require.ErrorIs(t, over("first"), jobs.ErrLog)
	require.NoError(t, over("second"))
	require.Equal(t, "first", b.read("stdout"))
	require.Error(t, audience{s}.Tried(&jobs.Job{Batch: []items.Item{items.Of(1, "first")}}, errors.New("failed")), "nor an attempt")
	require.ErrorIs(t, s.finish(jobs.Result{}), os.ErrClosed, "the end can't be written either")

	b = newBench(t, "a")
	env, out = b.open()
	b.cfg.Log, b.cfg.Policies = Log{Path: b.path("log")}, set
	s, err = New(b.cfg, env, out, newRunner(nil))
	require.NoError(t, err)
	failed := &jobs.Job{Batch: []items.Item{items.Of(1, "a")}, Err: errors.New("failed"), Outcome: process.Outcome{Out: process.Bytes(nil)}}
	s.env.State.Failed.Store(1)
	require.NoError(t, audience{s}.Over(failed))
	require.NoError(t, s.log.log.Close())
	require.ErrorIs(t, s.finish(jobs.Result{}), os.ErrClosed, "also if an item failed")

	full, _, err := joblog.Open("/dev/full", joblog.New)
	require.NoError(t, err)
	require.ErrorIs(t, (&logger{log: full}).end(summary.Summary{}), syscall.ENOSPC, "nor kept")
}

// The number of items is known when they have been read, and without those left out.
func TestTotal(t *testing.T) {
	b := newBench(t)
	b.source = items.Source{File: b.path("items")}
	require.NoError(t, os.WriteFile(b.path("items"), []byte("a\nb\nc\n"), 0o600))
	b.cfg.Log.Path = b.path("log")
	status, _ := b.run(newRunner(fails("b")))
	require.Equal(t, exit.Failed, status)
	require.EqualValues(t, 3, b.env.State.Total.Load())
	b.cfg.Log.ResumeFailed = true
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.EqualValues(t, 1, b.env.State.Total.Load())
	require.Contains(t, b.read("log"), `"total":3`)

	b = newBench(t)
	b.stream("a\nb\n")
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.EqualValues(t, 2, b.env.State.Total.Load(), "of a stream it is known at its end")
}

// What was left out counts in the total of a stream, too.
func TestTotalOfAResumedStream(t *testing.T) {
	b := newBench(t, "a", "b")
	b.cfg.Log.Path, b.cfg.Summary.File = b.path("log"), b.path("summary")
	b.cfg.Ends.Halt, _ = policies.ParseHalt("1")
	status, _ := b.run(newRunner(fails("a")))
	require.Equal(t, exit.Halted, status)
	require.Contains(t, b.read("summary"), `"total":2`, "also of a run that was ended")
	require.Contains(t, b.read("log"), `"why":"exit:3"`)
	b.cfg.Ends, b.cfg.Log.ResumeFailed = Ends{}, true
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	b.cfg.Log.Resume, b.cfg.Log.ResumeFailed = true, false
	for _, input := range []func(){func() {}, func() { b.stream("a\nb\n") }} { // arguments, and a stream
		input()
		status, _ = b.run(newRunner(nil))
		require.Equal(t, exit.OK, status)
		require.Contains(t, b.read("summary"), `"total":2`, "also where nothing was left")
	}

	b.stream("a\nb\nc\n")
	r := newRunner(nil)
	status, _ = b.run(r)
	require.Equal(t, exit.OK, status)
	require.Equal(t, []string{"c"}, r.tried)
	require.Contains(t, b.read("summary"), `"total":3`)
}

// That the breaker opens is told, with what it opened of, secrets left out.
func TestOpening(t *testing.T) {
	b := newBench(t, "a", "b", "c")
	b.options.Breaker, b.options.BreakerWait, b.options.BreakerGiveUp = "1", time.Millisecond, time.Millisecond
	down := errors.New("the database is down, token=secret " + strings.Repeat("x", 200))
	_, _ = b.run(newRunner(func(context.Context, *jobs.Job) error { return down }))
	require.Contains(t, b.read("stderr"), "amorsize: the breaker is open, calls are paused: the database is down, token=*** xxx")
	told := regexp.MustCompile(`calls are paused: (.*)\n`).FindStringSubmatch(b.read("stderr"))[1]
	require.Len(t, []rune(told), 200, "in short")
}

// Items that run again have the files of their results that they had, whatever their order.
func TestNamesOfTheLog(t *testing.T) {
	b := newBench(t, "x", "x", "y")
	b.results, b.cfg.Log.Path = b.path("results/{}"), b.path("log")
	status, _ := b.run(newRunner(fails("x")))
	require.Equal(t, exit.Failed, status)
	require.Equal(t, "did x\n", b.read("results/x~2"))

	b.cfg.Log = Log{Path: b.path("other"), From: b.path("log")}
	b.source = items.Source{Args: []string{"x"}, UseArgs: true, Numbers: []int{2}}
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.Contains(t, b.read("other"), `"file":"`+b.path("results/x~2")+`"`)

	b.results, b.cfg.Log = "", Log{Path: b.path("second"), From: b.path("log")}
	status, _ = b.run(newRunner(nil))
	require.Equal(t, exit.OK, status)
	require.Equal(t, "did x\n", b.read("stdout"), "results go elsewhere now")

	b.results, b.cfg.Log = b.path("results/{}"), Log{Path: b.path("third"), From: b.path("junk")}
	require.NoError(t, os.WriteFile(b.path("junk"), []byte("{\"file\": no log\n"), 0o600))
	status, err := b.run(newRunner(nil))
	require.Equal(t, exit.BadUsage, status)
	require.ErrorContains(t, err, "junk")
}

// Which log a run goes on with, and how it is opened.
func TestModesOfTheLog(t *testing.T) {
	for _, c := range []struct {
		log  Log
		past string
		mode joblog.Mode
	}{
		{Log{Path: "a"}, "", joblog.New},
		{Log{Path: "a", Resume: true}, "a", joblog.Continue},
		{Log{Path: "a", ResumeFailed: true}, "a", joblog.Continue},
		{Log{Path: "a", Extend: true}, "", joblog.Continue},
		{Log{Path: "a", From: "b"}, "b", joblog.New},
		{Log{Path: "a", From: "b", Resume: true}, "b", joblog.Continue},
		{Log{Path: "a", Overwrite: true}, "", joblog.Overwrite},
		{Log{Path: "a", Overwrite: true, Resume: true}, "a", joblog.Continue},
	} {
		require.Equal(t, c.past, c.log.past(), "%+v", c.log)
		require.Equal(t, c.mode, c.log.mode(), "%+v", c.log)
	}
}

// Who has closed the items runs nothing more.
func TestCloseEnds(t *testing.T) {
	env, _ := newBench(t, "a").open()
	env.Close()
	require.Error(t, env.Control.Context().Err())
}
