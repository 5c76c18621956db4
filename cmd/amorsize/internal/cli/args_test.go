package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

func TestSplitItems(t *testing.T) {
	for _, c := range []struct {
		args, argv, list []string
		given            bool
		lists            []items.List
	}{
		{args: []string{"echo", "a"}, argv: []string{"echo", "a"}},
		{args: []string{"echo", ":::"}, argv: []string{"echo"}, list: []string{}, given: true},
		{args: []string{"echo", ":::", "a", "b"}, argv: []string{"echo"}, list: []string{"a", "b"}, given: true},
		{
			args: []string{"echo", ":::", "a", ":::+", "1", "::::", "f", "g"}, argv: []string{"echo"}, list: []string{":::", "a", ":::+", "1", "::::", "f", "g"}, given: true,
			lists: []items.List{{Values: []string{"a"}}, {Values: []string{"1"}, Linked: true}, {File: "f"}, {File: "g"}},
		},
		{args: []string{"::::", "f"}, argv: []string{}, list: []string{"::::", "f"}, given: true, lists: []items.List{{File: "f"}}},
	} {
		argv, list, given := splitItems(c.args)
		require.Equal(t, c.argv, argv)
		require.Equal(t, c.list, list)
		require.Equal(t, c.given, given)
		require.Equal(t, c.lists, lists(list))
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "64k": 64 << 10, "1M": 1 << 20, "1G": 1 << 30, "10g": 10 << 30, "0": 0} {
		got, err := parseMost("max-body", text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "k", "1.5M", "1T", "x", "9999999999G"} {
		_, err := parseMost("max-body", text)
		require.ErrorContains(t, err, "--max-body", text)
	}
	_, err := parseBytes("block", "2G")
	require.ErrorContains(t, err, "up to 1G")
}

// What flags don't go together, before anything is run.
func TestChecks(t *testing.T) {
	for text, args := range map[string][]string{
		"choose one of --csv, --tsv and --jsonl": {"run", "--csv", "--jsonl", "--", "x"},
		"items have one source":                  {"run", "--range", "5", "--", "x", ":::", "a"},
		"--limit -1":                             {"run", "--limit", "-1", "--", "x"},
		"--header needs --csv or --tsv":          {"run", "--header", "--", "x"},
		"leave out --null":                       {"run", "--csv", "-0", "--", "x"},
		"--per-item 2":                           {"run", "-N2", "--csv", "--", "x"},
		`--colsep ";;"`:                          {"run", "--csv", "--colsep", ";;", "--", "x"},
		`--delimiter "ab"`:                       {"run", "-d", "ab", "--", "x"},
		"no command":                             {"run", ":::", "a"},
		`omit "x"`:                               {"run", "--sh", "y", "--", "x"},
		`--output "x"`:                           {"run", "--output", "x", "--", "y"},
		`--worker "x"`:                           {"run", "--worker", "x", "--", "y"},
		"it can't be combined with --batch or --worker":      {"run", "--pipe", "--batch", "5", "--", "y"},
		"it can't be combined with --stdin, --sh or --batch": {"run", "--worker", "lines", "--stdin", "--", "y"},
		"it can't be combined with --results":                {"run", "--output", "line", "--results", "x", "--", "y"},
		"it can't be combined with --order":                  {"run", "--output", "live", "-k", "--", "y"},
		"it can't be combined with --tag":                    {"run", "--output", "live", "--tag", "--", "y"},
		"add --results DIR or --output none":                 {"run", "--json", "--", "y"},
		"--nice 20":                                          {"run", "--nice", "20", "--", "y"},
		"--max-load -1":                                      {"run", "--max-load", "-1", "--", "y"},
		"--max-load NaN":                                     {"run", "--max-load", "NaN", "--", "y"},
		"-n is --dry-run":                                    {"run", "-n", "4", "y"},
		"omit flags for other items":                         {"run", "--pipe", "--range", "5", "--", "y"},
		"--resume needs --log":                               {"run", "--resume", "--", "y"},
		"--overwrite needs --log":                            {"run", "--overwrite", "--", "y"},
		"--bisect runs parts of a batch later":               {"run", "--bisect", "-k", "--", "y"},
		"--grace -1s":                                        {"run", "--grace", "-1s", "--", "y"},
		"--burst needs --rate":                               {"run", "--burst", "5", "--", "y"},
		"--halt-now needs --halt":                            {"run", "--halt-now", "--", "y"},
		"--deadline -1s":                                     {"run", "--deadline", "-1s", "--", "y"},
		"must be durations above 0":                          {"run", "--breaker-wait", "-1s", "--", "y"},
		`--progress "x"`:                                     {"run", "--progress", "x", "--", "y"},
		`--color "x"`:                                        {"run", "--color", "x", "--", "y"},
		"give one URL, with {} where the item goes; items":   {"http"},
		"flags go before it":                                 {"http", "http://h/", "-k"},
		"add --results DIR, or write it":                     {"http", "--json", "http://h/"},
		`--out "x"`:                                          {"exec", "--out", "x", "./p.F"},
		"name a function":                                    {"exec"},
		"give one function":                                  {"exec", "a", "b"},
		"--budget 0s":                                        {"profile", "--budget", "0", "--", "x"},
		"not both":                                           {"profile", "p.F", "--", "x"},
		"--max-workers -1":                                   {"tune", "--max-workers", "-1", "--", "x"},
		"--interval 0s":                                      {"watch", "--interval", "0", "--", "x"},
		"--count -1":                                         {"watch", "--count", "-1", "--", "x"},
	} {
		root := newRoot()
		root.SetArgs(args)
		err := root.Execute()
		require.ErrorContains(t, err, text, "%q", args)
		var status *exit.Error
		require.ErrorAs(t, err, &status, "%q", args)
		require.Equal(t, exit.BadUsage, status.Code)
	}
}

// What a directory's file and a user's set, and where --show-config ends.
func TestWithDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AMORSIZE_OPTS", "--retries=3 --max-conns=2")
	args, err := withDefaults(newRoot(), []string{"run", "-k", "--", "x", "--show-config"})
	require.NoError(t, err)
	require.Equal(t, []string{"run", "--retries=3", "-k", "--", "x", "--show-config"}, args, "http has --max-conns")
	args, err = withDefaults(newRoot(), []string{"doctor", "--json"})
	require.NoError(t, err)
	require.Equal(t, []string{"doctor", "--json"}, args)
	own, show := withoutShow([]string{"-k", "--show-config", "--", "--show-config"})
	require.True(t, show)
	require.Equal(t, []string{"-k", "--", "--show-config"}, own)
	_, show = withoutShow([]string{"-k", "--", "--show-config"})
	require.False(t, show, "that is the command's")
	t.Setenv("AMORSIZE_OPTS", "--no-such-flag")
	_, err = withDefaults(newRoot(), []string{"run"})
	require.ErrorContains(t, err, "AMORSIZE_OPTS word 1: no command has a flag")
}

// A directory can't set what only the user may, whatever command has the flag.
func TestDirectoryFlags(t *testing.T) {
	c, _, err := newRoot().Find([]string{"run"})
	require.NoError(t, err)
	refused := func(line string) error {
		_, err := origin{name: ".amorsize", unit: "line", lines: []string{line}}.flags(c)
		return err
	}
	for _, line := range []string{"--jobs=4", "--rate 5/s", "--max-conns=3", "# --sh=x", ""} {
		require.NoError(t, refused(line), line)
	}
	for _, line := range []string{"--sh=rm", "--log x", "--header-line=X: y", "--budget=1s", "--retry-post"} {
		require.ErrorContains(t, refused(line), "can't be set by a directory's file", line)
	}
	flags, err := origin{ours: true, lines: []string{"--sh = echo a=b ", "--merge"}}.flags(c)
	require.NoError(t, err)
	require.Equal(t, []string{"--sh=echo a=b", "--merge"}, flags)
}
