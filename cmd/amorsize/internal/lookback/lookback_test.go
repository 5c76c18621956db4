package lookback_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/lookback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// past puts entries into a history of the test's own, and returns what write writes.
func past(t *testing.T, entries ...[3]string) func(write func(*bytes.Buffer) error) string {
	t.Helper()
	t.Setenv("AMORSIZE_HISTORY", t.TempDir())
	for _, e := range entries {
		require.NoError(t, history.Save(e[0], e[1], json.RawMessage(e[2])))
	}
	return func(write func(*bytes.Buffer) error) string {
		t.Helper()
		var b bytes.Buffer
		require.NoError(t, write(&b))
		return b.String()
	}
}

func requireUsage(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	var status *exit.Error
	require.ErrorAs(t, err, &status)
	require.Equal(t, exit.BadUsage, status.Code)
}

// An entry is a line with the figure that matters most.
func TestList(t *testing.T) {
	written := past(t,
		[3]string{"run", "gzip {}", `{"ok": 7, "failed": 2, "wall_s": 3.4}`},
		[3]string{"profile", "curl {}", `{"wall_s": 0.1, "class": "I/O-bound", "workers": 1}`},
		[3]string{"tune", "calc.Square", `{"knee": 4}`},
		[3]string{"http", strings.Repeat("x", 100), `[]`},
	)
	lines := strings.Split(written(func(b *bytes.Buffer) error { return lookback.List(b) }), "\n")
	require.Len(t, lines, 5)
	require.Regexp(t, `^\S+  run      7 ok, 2 failed in 3.40 s     gzip \{\}$`, lines[0])
	require.Regexp(t, `^\S+  profile  100 ms, I/O-bound, 1 worker +curl \{\}$`, lines[1])
	require.Regexp(t, `^\S+ +tune +knee at 4 workers +calc.Square$`, lines[2])
	require.Regexp(t, `  x{59}…$`, lines[3], "what is long is cut")
}

func TestShow(t *testing.T) {
	written := past(t, [3]string{"run", "gzip {}", `{"ok": 7}`})
	shown := written(func(b *bytes.Buffer) error { return lookback.Show(b, "-1") })
	var e history.Entry
	require.NoError(t, json.Unmarshal([]byte(shown), &e))
	require.Equal(t, "gzip {}", e.What)
	require.JSONEq(t, `{"ok": 7}`, string(e.Data))
	require.Contains(t, shown, "\n  \"cmd\": \"run\"", "a person reads it")
	requireUsage(t, lookback.Show(new(bytes.Buffer), "none"), `no entry "none"`)
}

// What differs stands side by side, with by how much.
func TestDiff(t *testing.T) {
	written := past(t,
		[3]string{"run", "gzip -1", `{"wall_s": 2, "ok": 5, "failed": 0, "plan": {"workers": 4, "why": "x"}, "failures": [1], "started": "a", "only": 1, "stopped": "halt", "mixed": "x", "other": 3}`},
		[3]string{"run", "gzip -9", `{"wall_s": 3, "ok": 5, "failed": 2, "plan": {"workers": 2, "why": "y"}, "failures": [2], "started": "b", "stopped": null, "mixed": 2, "other": "y"}`},
		[3]string{"tune", "gzip", `{"knee": 4}`},
		[3]string{"tune", "gzip", `[]`},
	)
	text := written(func(b *bytes.Buffer) error { return lookback.Diff(b, "-4", "-3") })
	var rows [][]string
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Fields(line))
	}
	require.Len(t, rows[0], 2, "the ids")
	require.Equal(t, [][]string{
		{"what", "gzip", "-1", "gzip", "-9"}, {"failed", "0", "2"}, {"mixed", "x", "2"}, {"other", "3", "y"}, {"plan.why", "x", "y"}, {"plan.workers", "4", "2", "-50.0", "%"},
		{"wall_s", "2", "3", "+50.0", "%"},
	}, rows[1:])

	written = past(t, [3]string{"run", strings.Repeat("x", 50), `{"why": "` + strings.Repeat("y", 50) + `"}`}, [3]string{"run", "<b>", `{"why": "z"}`})
	text = written(func(b *bytes.Buffer) error { return lookback.Diff(b, "-2", "-1") })
	require.Regexp(t, `(?m)^what  x{39}…  <b>  `, text)
	require.Regexp(t, `(?m)^why   y{39}…  z    `, text)
	text = written(func(b *bytes.Buffer) error { return lookback.Diff(b, "-1", "-2") })
	require.Regexp(t, `(?m)^what  <b>  +x{39}…$`, strings.ReplaceAll(text, "…  ", "…"), "on either side")

	past(t, [3]string{"run", "gzip", `{"ok": 1}`}, [3]string{"tune", "gzip", `{"knee": 4}`}, [3]string{"tune", "gzip", `[]`})
	requireUsage(t, lookback.Diff(new(bytes.Buffer), "-3", "-2"), "compare entries of the same command")
	requireUsage(t, lookback.Diff(new(bytes.Buffer), "none", "-1"), `no entry "none"`)
	requireUsage(t, lookback.Diff(new(bytes.Buffer), "-1", "none"), `no entry "none"`)
	require.Error(t, lookback.Diff(new(bytes.Buffer), "-2", "-1"), "an entry that is no object")
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

const (
	header = `{"type":"run","v":1,"command":"run","args":["curl","-H","X-Key: abc","{}"],"flags":[["rate","5/s"],["env","[A=secret]"]],"dir":"/","host":"h","started":"2026-01-02T03:04:05Z","version":"devel"}` + "\n"
	bad    = `{"type":"item","n":2,"id":"b","item":"http://h/?token=abc","ok":false,"tries":3,"why":"exit:22","err":"Cookie: a=b","at_s":1,"wall_s":1}` + "\n"
	end    = `{"type":"end","summary":{"v":1,"cmd":"run","ok":1,"failed":1,"total":2}}` + "\n"
)

// The report of a log has its command, its summary and what failed, and no credentials.
func TestReport(t *testing.T) {
	r, err := lookback.Report([]string{file(t, header+bad+end)}, "")
	require.NoError(t, err)
	require.Equal(t, "amorsize run", r.Title)
	require.Equal(t, "amorsize run --rate=5/s '--env=A=***' -- curl -H 'X-Key: ***' {}", r.Command)
	require.Equal(t, []int{1, 1, 2}, []int{r.Summary.OK, r.Summary.Failed, r.Summary.Total})
	require.Empty(t, r.Notes)
	require.Len(t, r.Failed, 1)
	require.Equal(t, []any{2, "http://h/?token=***", "exit:22", 3, "Cookie: ***"}, []any{r.Failed[0].N, r.Failed[0].Item, r.Failed[0].Why, r.Failed[0].Tries, r.Failed[0].Err})

	r, err = lookback.Report([]string{file(t, header+bad)}, "")
	require.NoError(t, err)
	require.Nil(t, r.Summary)
	require.Equal(t, []string{"The run has not ended: there is no summary."}, r.Notes)

	for command, args := range map[string]string{
		`run","args":["gzip"]`: "amorsize run -- gzip", `run","args":[]`: "amorsize run", `http","args":["http://h"]`: "amorsize http http://h",
	} {
		r, err = lookback.Report([]string{file(t, `{"type":"run","v":1,"command":"`+command+`,"started":"2026-01-02T03:04:05Z"}`+"\n")}, "")
		require.NoError(t, err)
		require.Equal(t, args, r.Command)
	}
	long := strings.Replace(bad, "http://h/?token=abc", strings.Repeat("x", 300), 1)
	r, err = lookback.Report([]string{file(t, header+long)}, "")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 199)+"…", r.Failed[0].Item)
}

// A table can be drawn alone, or with a run. Rows of batches are none of the curve.
func TestReportOfTables(t *testing.T) {
	table := file(t, `{"cmd":"tune","target":"gzip {}","knee":2,"rows":[{"workers":1,"rate_per_s":5},{"workers":2,"batch":1,"rate_per_s":9},{"workers":2,"batch":2,"rate_per_s":99}]}`)
	r, err := lookback.Report(nil, table)
	require.NoError(t, err)
	require.Equal(t, []string{"amorsize tune", "gzip {}"}, []string{r.Title, r.Command})
	require.Len(t, r.Table.Rows, 2)
	require.Equal(t, []any{2, 2, 9.0}, []any{r.Table.Knee, r.Table.Rows[1].Workers, r.Table.Rows[1].Rate})
	r, err = lookback.Report([]string{file(t, header+end)}, table)
	require.NoError(t, err)
	require.Equal(t, "amorsize run", r.Title)
	require.NotNil(t, r.Table)
}

func TestReportFails(t *testing.T) {
	_, err := lookback.Report(nil, "")
	requireUsage(t, err, "give the log of a run")
	_, err = lookback.Report([]string{filepath.Join(t.TempDir(), "none")}, "")
	requireUsage(t, err, "none")
	_, err = lookback.Report([]string{file(t, header+`{"type":"end","summary":[]}`+"\n")}, "")
	requireUsage(t, err, "the summary can't be read")
	_, err = lookback.Report(nil, filepath.Join(t.TempDir(), "none"))
	requireUsage(t, err, "--tune")
	for _, text := range []string{
		"{}", `{"cmd":"tune","rows":[]}`, "x", `{"cmd":"profile","rows":[{"workers":1}]}`, `{"cmd":"tune","rows":[{"workers":1}],"knee":"two"}`,
	} {
		_, err = lookback.Report(nil, file(t, text))
		requireUsage(t, err, "is not the output of amorsize tune --json")
	}
}
