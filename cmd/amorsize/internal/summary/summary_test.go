package summary_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

var errOther = errors.New("other")

// An error is of one kind, by what says most.
func TestWhy(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{errOther, 0, "error"},
		{errOther, 399, "error"},
		{errOther, 400, "status:400"},
		{context.DeadlineExceeded, 503, "status:503"},
		{fmt.Errorf("it: %w", &process.ExitError{Code: 22}), 0, "exit:22"},
		{&process.ExitError{Code: -1, Signal: "killed"}, 0, "signal:killed"},
		{&process.SpawnError{Err: errOther}, 0, "spawn"},
		{&process.OutputError{Err: errOther}, 0, "output"},
		{context.DeadlineExceeded, 0, "timeout"},
		{&net.OpError{Op: "dial", Err: errOther}, 0, "connection"},
		{&policies.Throttled{Failure: policies.Failure{Err: errOther}}, 0, "throttled"},
	} {
		require.Equal(t, c.want, summary.Why(c.err, c.status), "%v", c.err)
	}
}

func TestBrief(t *testing.T) {
	require.Equal(t, "a b c", summary.Brief(" a\n b\t\tc ", 5))
	require.Equal(t, "a b …", summary.Brief("a b c d", 5))
	require.Equal(t, "äöüß…", summary.Brief("äöüßäö", 5), "characters, not bytes")
	require.Equal(t, `\x1b[31mred`, summary.Brief("\x1b[31mred", 100))
}

// Nothing that somebody else wrote steers a terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain ä €":     "plain ä €",
		"a\x1b]0;x\a":   `a\x1b]0;x\a`,
		"\u202eright":   `\u202eright`,
		"\xff\xfe":      `\xff\xfe`,
		"\uFFFD":        "\uFFFD",
		"tab\tline\n":   `tab\tline\n`,
		"quote ' \"":    `quote ' "`,
		"":              "",
		"\u00a0a\u00ad": `\u00a0a\u00ad`,
	} {
		require.Equal(t, want, summary.Printable(text), "%q", text)
	}
}

func TestFailureLine(t *testing.T) {
	f := summary.Failure{N: 3, Item: "an item", Why: "exit:1", Tries: 1}
	require.Equal(t, `#3 "an item" exit:1`, f.Line())
	f.Tries, f.Err = 2, "it is\nbad"
	require.Equal(t, `#3 "an item" exit:1 after 2 tries: it is bad`, f.Line())
	f.Item, f.Err = strings.Repeat("x", 100), strings.Repeat("y", 300)
	require.Equal(t, fmt.Sprintf("#3 %q exit:1 after 2 tries: %s…", strings.Repeat("x", 59)+"…", strings.Repeat("y", 199)), f.Line())
}

func job(text string, err error, stderr string) *jobs.Job {
	j := &jobs.Job{Batch: []items.Item{items.Of(1, text)}, Tries: 1, Err: err}
	j.Outcome.Err = process.Bytes([]byte(stderr))
	return j
}

// A failed job has said the end of what it wrote, or its error where that says more than its kind.
func TestMessage(t *testing.T) {
	for _, c := range []struct {
		err    error
		stderr string
		want   string
	}{
		{errOther, "", "other"},
		{nil, "", ""},
		{&process.ExitError{Code: 2}, "", ""},
		{&process.ExitError{Signal: "killed"}, "", ""},
		{context.DeadlineExceeded, "", ""},
		{errOther, "1\n2\n3\n4\n\n", "2\n3\n4"},
		{errOther, "one\n", "one"},
		{errOther, " \n", "other"},
		{errOther, "\xa9", "other"}, // the end of a character is none
		{errOther, "b\xffad", "b\uFFFDad"},
		{errOther, strings.Repeat("é", 400), strings.Repeat("é", 300)},
		{errOther, "x" + strings.Repeat("é", 299) + "y", "x" + strings.Repeat("é", 299) + "y"},
		{errOther, strings.Repeat("é", 300) + "y", strings.Repeat("é", 299) + "y"},
	} {
		require.Equal(t, c.want, summary.Message(job("a", c.err, c.stderr)), "%q", c.stderr)
	}
}

// What a run was like, told by its jobs.
func TestSummary(t *testing.T) {
	set, err := policies.New(policies.Options{Rate: "50/s"})
	require.NoError(t, err)
	state := &jobs.State{Began: time.Now()}
	c := summary.NewCollector(state, set)
	c.Planned(jobs.Plan{})
	empty := c.Summary("run", jobs.Result{}, 0)
	require.Equal(t, []summary.Failure{}, empty.Failures, "a list, also in JSON")
	require.Empty(t, empty.Reasons)
	require.Nil(t, empty.Histogram)
	require.Empty(t, empty.Stopped)

	for i := range 100 {
		j := job(fmt.Sprint(i), nil, "")
		j.Wall = time.Duration(i+1) * time.Millisecond
		require.NoError(t, c.Tried(j, nil))
		if i%4 == 0 {
			j.Err = &process.ExitError{Code: 1}
		}
		if i%10 == 5 {
			j.Err = errOther
		}
		require.NoError(t, c.Over(j))
	}
	state.Total.Store(120)
	state.Done.Store(100)
	state.Failed.Store(35)
	state.Peak.Store(7)
	state.Memory.Store(1 << 20)
	state.CPU.Store(int64(3 * time.Second))
	state.Tries.Store(140)
	set.Retried.Store(40)
	set.Throttled.Store(2)
	set.Waited.Store(int64(time.Minute))
	began := time.Now()
	s := c.Summary("run", jobs.Result{Began: began, Took: 10 * time.Second, Err: errOther}, 5)
	require.Equal(t, summary.Version, s.V)
	require.Equal(t, []any{"run", began, 120, 65, 35, 5, 40, 2}, []any{s.Cmd, s.Started, s.Total, s.OK, s.Failed, s.Skipped, s.Retried, s.Throttled})
	require.InDelta(t, 10, s.Wall, 1e-9)
	require.InDelta(t, 10, s.PerSecond, 1e-9)
	require.Equal(t, summary.Peak{Workers: 7, RSS: 1 << 20}, s.Peak)
	require.InDelta(t, 0.050, s.Job.P50, 0.0008)
	require.InDelta(t, 0.095, s.Job.P95, 0.0008)
	require.InDelta(t, 0.099, s.Job.P99, 0.0008)
	require.InDelta(t, 0.100, s.Job.Max, 0.0008)
	require.InDelta(t, 3, s.Job.CPU, 1e-9)
	require.Equal(t, 140, s.Job.Tries)
	require.Equal(t, &summary.Rate{PerSecond: 50, Waited: 60}, s.Rate)
	require.Equal(t, "other", s.Stopped)
	require.Len(t, s.Failures, summary.MostFailures)
	require.Equal(t, summary.Failure{N: 1, Item: "0", Why: "exit:1", Tries: 1}, s.Failures[0])
	require.Equal(t, []summary.Reason{{Why: "exit:1", Items: 25}, {Why: "error", Items: 10}}, s.Reasons)
	require.Positive(t, s.Host.Memory)
}

// Of a long item, and of a long message, a part is told.
func TestLongFailures(t *testing.T) {
	c := summary.NewCollector(&jobs.State{}, &policies.Set{})
	require.NoError(t, c.Over(job(strings.Repeat("x", 300), errOther, "")))
	f := c.Summary("run", jobs.Result{}, 0).Failures[0]
	require.Equal(t, strings.Repeat("x", 199)+"…", f.Item)
	require.Equal(t, "other", f.Err)
}

// Reasons are told by how many items they have, then by name; each item of a batch counts.
func TestReasons(t *testing.T) {
	c := summary.NewCollector(&jobs.State{}, &policies.Set{})
	for code, n := range map[int]int{3: 2, 1: 2, 2: 5} {
		j := job("a", &process.ExitError{Code: code}, "")
		for len(j.Batch) < n {
			j.Batch = append(j.Batch, items.Of(len(j.Batch)+1, "b"))
		}
		require.NoError(t, c.Over(j))
	}
	s := c.Summary("run", jobs.Result{}, 0)
	require.Equal(t, []summary.Reason{{Why: "exit:2", Items: 5}, {Why: "exit:1", Items: 2}, {Why: "exit:3", Items: 2}}, s.Reasons)
	require.Len(t, s.Failures, 9)
	require.Nil(t, s.Rate)
}
