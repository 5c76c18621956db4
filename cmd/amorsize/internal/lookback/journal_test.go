package lookback_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/lookback"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/journal"
)

// started is the first line of a run of a program.
func started(at, arg string) string {
	return `{"type":"run","v":1,"run":"v7","command":"program","args":["./nightly","` + arg + `"],"host":"h-` + arg + `","started":"` + at + `"}` + "\n"
}

// ended is the line of the nth item of a program; rest has the members that only some have.
func ended(n int, ok bool, tries int, at, took float64, rest string) string {
	return fmt.Sprintf(`{"type":"item","n":%d,"id":"%032x","ok":%t,"tries":%d,"at_s":%g,"took_s":%g%s}`+"\n", n, n, ok, tries, at, took, rest)
}

// nights is a journal of two runs, of which the second one has repaired what failed in the first one.
func nights() string {
	return started("2026-01-02T03:04:05Z", "one") +
		ended(1, true, 1, 0.25, 0.5, "") + ended(2, true, 2, 1.5, 0.2, "") + ended(3, false, 3, 1, 9, `,"item":"c","err":"no"`) +
		started("2026-01-03T03:04:05Z", "two") +
		ended(3, true, 1, 0.5, 0.1, "") + ended(4, true, 1, 0.1, 0.4, "") + ended(5, true, 1, 0.3, 0.3, "") +
		ended(6, false, 2, 0.2, 8, `,"item":"http://h/?token=abc","err":"Cookie: a=b","types":["*app.Error","*net.OpError"]`)
}

func reportOf(t *testing.T, text string) (failed []summary.Failure, notes []string, s summary.Summary) {
	t.Helper()
	r, err := lookback.Report([]string{file(t, text)}, "")
	require.NoError(t, err)
	require.Equal(t, "amorsize: the journal of a program", r.Title)
	require.NotNil(t, r.Summary)
	return r.Failed, r.Notes, *r.Summary
}

// The report of a program's journal is of all its runs: items count as they are now, and calls as they were made.
func TestReportOfAJournalTakesItsRunsTogether(t *testing.T) {
	r, err := lookback.Report([]string{file(t, nights())}, "")
	require.NoError(t, err)
	require.Equal(t, "./nightly two v7", r.Command, "the latest one")
	failed, notes, s := reportOf(t, nights())
	require.Empty(t, notes)
	require.Equal(t, []any{"program", 6, 5, 1, "h-two", "2026-01-02"}, []any{s.Cmd, s.Total, s.OK, s.Failed, s.Host.Name, s.Started.Format("2006-01-02")})
	require.Equal(t, []summary.Failure{{N: 6, Item: "http://h/?token=***", Why: "*net.OpError", Tries: 2, Err: "Cookie: ***"}}, failed)
	require.InDelta(t, 2, s.Wall, 1e-9, "each run took until its latest item")
	require.InDelta(t, 2.5, s.PerSecond, 1e-9)
	require.Equal(t, 11, s.Job.Tries)
	require.Equal(t, []float64{0.3, 0.4, 0.4, 0.5}, []float64{s.Job.P50, s.Job.P95, s.Job.P99, s.Job.Max}, "of the calls that succeeded")
}

// A journal need not have much for a report.
func TestReportOfAJournalWithLittleInIt(t *testing.T) {
	run := started("2026-01-02T03:04:05Z", "one")
	for name, c := range map[string]struct {
		text      string
		ok        int
		perSecond float64
		p50, most float64
	}{
		"no item":             {run, 0, 0, 0, 0},
		"none that succeeded": {run + ended(1, false, 1, 0.5, 1, `,"item":"a"`), 0, 0, 0, 0},
		"one":                 {run + ended(1, true, 1, 0.5, 0.25, ""), 1, 2, 0.25, 0.25},
		"one, at once":        {run + ended(1, true, 1, 0, 0.25, ""), 1, 0, 0.25, 0.25},
	} {
		_, _, s := reportOf(t, c.text)
		require.Equal(t, c.ok, s.OK, name)
		require.Equal(t, []float64{c.perSecond, c.p50, c.most}, []float64{s.PerSecond, s.Job.P50, s.Job.Max}, name)
	}
}

// What a failure of a program was is told by the type of its error, the innermost one; its item is cut where it is long.
func TestReportOfAJournalSaysWhatFailed(t *testing.T) {
	failed, _, _ := reportOf(t, started("2026-01-02T03:04:05Z", "one")+
		ended(1, false, 1, 1, 1, `,"item":"`+strings.Repeat("x", 300)+`","types":["*app.Error"]`)+ended(2, false, 1, 1, 1, `,"item":"b","err":"no"`))
	require.Equal(t, []summary.Failure{
		{N: 1, Item: strings.Repeat("x", 199) + "…", Why: "*app.Error", Tries: 1}, {N: 2, Item: "b", Tries: 1, Err: "no"},
	}, failed)
}

// Lines that are damaged are told of, and count for nothing.
func TestReportsTellOfDamagedLines(t *testing.T) {
	_, notes, s := reportOf(t, nights()+"?\n")
	require.Equal(t, []string{"journal: lines that are damaged, and left out: 1, the first one is line 10; their items run again"}, notes)
	require.Equal(t, 6, s.Total)
	r, err := lookback.Report([]string{file(t, header+bad+"?\n"+end)}, "")
	require.NoError(t, err)
	require.Equal(t, []string{"Damaged lines skipped: 1."}, r.Notes)
	require.Len(t, r.Failed, 1)
}

// A failure that can't be read ends the report with an error, rather than to be left out.
func TestReportOfAJournalRefusesAFailureThatCannotBeRead(t *testing.T) {
	_, err := lookback.Report([]string{file(t, started("2026-01-02T03:04:05Z", "one")+ended(1, false, 1, 1, 1, `,"item64":"?"`))}, "")
	requireUsage(t, err, "can't be read")
}

// A line of a log is a run, with its command and what became of its items.
func TestRuns(t *testing.T) {
	written := past(t)
	runs := func(text string) []string {
		path := file(t, text)
		return strings.Split(strings.TrimSuffix(written(func(b *bytes.Buffer) error { return lookback.Runs(b, path) }), "\n"), "\n")
	}
	require.Equal(t, []string{
		"2026-01-02 03:04:05  program  2 ok, 1 failed in 1.50 s  ./nightly one v7",
		"2026-01-03 03:04:05  program  3 ok, 1 failed in 500 ms  ./nightly two v7",
	}, runs(nights()))
	require.Equal(t, []string{
		"2026-01-02 03:04:05  run  0 ok, 1 failed in 1.00 s  amorsize run --rate=5/s '--env=A=***' -- curl -H 'X-Key: **…",
	}, runs(header+bad+`{"type":"item","n":1,"id":"a","ok":true,"at_s":"soon"}`+"\n"+end), "what is long is cut, and what is damaged is no item")
}

// A run whose first line is damaged is none, and its items are nobody's.
func TestRunsLeavesOutItemsOfADamagedRun(t *testing.T) {
	path := file(t, "")
	for range 2 {
		j, err := journal.Open(path, journal.Options{Run: "v7"})
		require.NoError(t, err)
		require.NoError(t, j.Add(journal.Record{Attempts: 1, Result: []byte("1")}))
		require.NoError(t, j.Close())
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := file(t, strings.Replace(string(text), "v7", "v8", 1))
	lines := past(t)(func(b *bytes.Buffer) error { return lookback.Runs(b, damaged) })
	require.Equal(t, 1, strings.Count(lines, "1 ok, 0 failed"), lines)
	require.Equal(t, 1, strings.Count(lines, "\n"), lines)
}

func TestRunsFails(t *testing.T) {
	requireUsage(t, lookback.Runs(new(bytes.Buffer), "none"), "none")
	requireUsage(t, lookback.Runs(new(bytes.Buffer), file(t, "a\nb\n")), "file: ")
}
