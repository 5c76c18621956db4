package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
)

func TestHistory(t *testing.T) {
	home(t)
	require.Equal(t, outcome{}, typed(t, "", "history", "list"))
	for _, n := range []string{"1", "2", "3"} {
		require.NoError(t, history.Save("run", "gzip "+n, map[string]any{"ok": n, "failed": 0, "wall_s": 1}))
	}
	all, err := history.List()
	require.NoError(t, err)
	got := typed(t, "", "history", "list")
	require.Equal(t, 0, got.status)
	require.Equal(t, 3, strings.Count(got.out, "\n"))
	require.Contains(t, got.out, all[0].ID)

	got = typed(t, "", "history", "show", "-1")
	require.Equal(t, 0, got.status)
	require.Contains(t, got.out, "gzip 3")
	got = typed(t, "", "history", "show", all[0].ID)
	require.Contains(t, got.out, "gzip 1")
	got = typed(t, "", "history", "diff", "-3", "-1")
	require.Equal(t, 0, got.status)
	require.Regexp(t, `ok +1 +3`, got.out)

	got = typed(t, "", "history", "rm", "nothing", "-1", "none")
	require.Equal(t, 2, got.status)
	require.Contains(t, got.err, "nothing")
	require.Contains(t, got.err, "none")
	require.Equal(t, outcome{}, typed(t, "", "history", "rm", all[0].ID))
	left, err := history.List()
	require.NoError(t, err)
	require.Len(t, left, 1, "all that can be removed are")
	require.Equal(t, "gzip 2", left[0].What)
	require.NoError(t, history.Save("run", "gzip 4", map[string]any{}))
	require.Equal(t, outcome{}, typed(t, "", "history", "rm", "-1", "-1"))
	require.Equal(t, outcome{}, typed(t, "", "history", "list"))
}

// A log is drawn to a file or to standard output; its runs can be listed.
func TestReport(t *testing.T) {
	home(t)
	s := serve(t)
	require.Equal(t, 0, typed(t, "", "http", "-q", "--log", "run.jsonl", s.URL+"/{}", ":::", "a").status)
	got := typed(t, "", "history", "list", "run.jsonl")
	require.Equal(t, 0, got.status)
	require.Contains(t, got.out, "1 ok")
	require.NotEqual(t, typed(t, "", "history", "list").out, got.out, "the runs of a log are not those of the history")
	require.Equal(t, outcome{}, typed(t, "", "report", "run.jsonl"))
	page := read(t, "report.html")
	require.True(t, strings.HasPrefix(page, "<!"))
	require.Equal(t, outcome{out: page}, typed(t, "", "report", "run.jsonl", "-o", "-"))
	_, err := os.Stat("-")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, outcome{}, typed(t, "", "report", "run.jsonl", "--output", "other.html"))
	require.Equal(t, page, read(t, "other.html"))
	write(t, "table", `{"cmd":"tune","target":"calc.Square","rows":[{"workers":1,"rate_per_s":5},{"workers":2,"rate_per_s":9}],"knee":2}`)
	require.Equal(t, outcome{}, typed(t, "", "report", "--tune", "table"))
	require.Contains(t, read(t, "report.html"), "calc.Square")
	for line, said := range map[string]string{
		"report": "give the log of a run", "report none": "none", "report run.jsonl --tune run.jsonl": "--tune: run.jsonl is not the output",
		"report run.jsonl -o none/report.html": "-o: ",
	} {
		got := typed(t, "", strings.Fields(line)...)
		require.Equal(t, []any{2, ""}, []any{got.status, got.out}, line)
		require.Contains(t, got.err, said, line)
	}
}
