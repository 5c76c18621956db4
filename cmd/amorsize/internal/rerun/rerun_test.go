package rerun_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/rerun"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Flags have the values that they had, by what pflag prints of them.
func TestSetFlag(t *testing.T) {
	define := func() (set *pflag.FlagSet, list *[]string) {
		set = pflag.NewFlagSet("", pflag.ContinueOnError)
		list = set.StringArray("env", nil, "")
		set.String("rate", "", "")
		set.Bool("merge", false, "")
		set.Duration("deadline", 0, "")
		set.Int("retries", 0, "")
		return set, list
	}
	for _, values := range [][]string{{"A=b"}, {"A=b,c", `X="q"`, "Y=[z]", ""}, {"two\nlines", " spaces "}} {
		was, _ := define()
		for _, v := range values {
			require.NoError(t, was.Set("env", v))
		}
		set, list := define()
		require.NoError(t, rerun.SetFlag(set, "env", was.Lookup("env").Value.String()))
		require.Equal(t, values, *list)
	}
	for name, value := range map[string]string{"rate": "[50/s", "merge": "true", "deadline": "1m30s", "retries": "7"} {
		set, _ := define()
		require.NoError(t, rerun.SetFlag(set, name, value))
		require.Equal(t, value, set.Lookup(name).Value.String())
		require.True(t, set.Lookup(name).Changed)
	}
	set, _ := define()
	require.EqualError(t, rerun.SetFlag(set, "other", "1"), "unknown flag")
	require.Error(t, rerun.SetFlag(set, "retries", "many"))
	require.Error(t, rerun.SetFlag(set, "env", `["broken]`))
}

// failed are entries as a log has them, of every second item of a source.
func failed(t *testing.T, source items.Source, input string) (list []joblog.Entry, want []items.Item, names []string) {
	t.Helper()
	in, err := source.Open(strings.NewReader(input))
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	for it := range in.All() {
		if it.N%2 == 1 {
			continue
		}
		e := joblog.Entry{Type: "item"}
		e.Describe(it)
		list, want = append(list, e), append(want, it)
	}
	require.NoError(t, in.Err())
	return list, want, in.Names()
}

// Items come back as they were, whatever they came in: text, columns, names and numbers.
func TestSource(t *testing.T) {
	for name, c := range map[string]struct {
		source items.Source
		input  string
	}{
		"lines":               {items.Source{}, "a\nb b\nc\n d \n"},
		"other bytes":         {items.Source{}, "a\n\xff\xfe\nc\nd\n"},
		"with newlines":       {items.Source{NUL: true}, "a\x00b\nb\x00c\x00\n\x00"},
		"blocks":              {items.Source{Format: items.Blocks, Block: 4}, "ab\ncd\nef\ngh\n"},
		"CSV":                 {items.Source{Format: items.CSV}, "a,b\n\"c,c\",d\ne,f\n\"g\ng\",h\n"},
		"CSV with names":      {items.Source{Format: items.CSV, Header: true}, "\"x,x\",y\na,b\nc,d\n"},
		"CSV with semicolons": {items.Source{Format: items.CSV, Header: true, Separator: ";"}, "x;y\na;b\n\"c;c\";d,d\n"},
		"tabs":                {items.Source{Format: items.TSV, Header: true}, "x\ty\na\tb\nc c\td\n"},
		"colons":              {items.Source{Format: items.TSV, Header: true, Separator: "::"}, "x::y\na::b\nc::d\n"},
		"JSON":                {items.Source{Format: items.JSONL}, "{\"a\":1}\n{\"a\": [2]}\n3\n\"x\"\n"},
		"lists":               {items.Source{Lists: []items.List{{Values: []string{"a", "b"}}, {Values: []string{"1", "2"}}}}, ""},
		"several lines":       {items.Source{Group: 2}, "a\nb\nc\nd\n"},
	} {
		t.Run(name, func(t *testing.T) {
			list, want, names := failed(t, c.source, c.input)
			require.NotEmpty(t, list)
			slices.Reverse(list) // a log has them as they ended
			source, remove, err := rerun.Source(list, names, c.source)
			require.NoError(t, err)
			defer remove()
			in, err := source.Open(bytes.NewReader(nil))
			require.NoError(t, err)
			defer func() { require.NoError(t, in.Close()) }()
			got := slices.Collect(in.All())
			require.NoError(t, in.Err())
			require.Len(t, got, len(want))
			require.Equal(t, names, in.Names())
			for i, it := range got {
				require.Equal(t, []any{want[i].N, want[i].Text, want[i].Fields, want[i].Identity()}, []any{it.N, it.Text, it.Fields, it.Identity()})
				require.Equal(t, string(want[i].JSON()), string(it.JSON()))
			}
		})
	}
}

// Of items with columns, one that has none is its text.
func TestRowsOfText(t *testing.T) {
	text := "c d"
	source, remove, err := rerun.Source([]joblog.Entry{{N: 1, Values: []string{"a", "b"}}, {N: 2, Item: &text}}, nil, items.Source{})
	require.NoError(t, err)
	defer remove()
	require.Equal(t, [][]string{{"a", "b"}, {"c d"}}, source.Rows)
}

func TestSourceFails(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	text := "a"
	_, remove, err := rerun.Source([]joblog.Entry{{N: 1, Item: &text}}, nil, items.Source{})
	require.NoError(t, err)
	remove()
	var status *exit.Error
	_, _, err = rerun.Source([]joblog.Entry{{N: 1, Item: &text}, {N: 4}}, nil, items.Source{})
	require.ErrorAs(t, err, &status)
	require.ErrorContains(t, err, "the log does not have the text of item 4")
	_, _, err = rerun.Source([]joblog.Entry{{N: 1, Values: []string{"a", "b"}}, {N: 5}}, nil, items.Source{})
	require.ErrorContains(t, err, "item 5")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	t.Setenv("TMPDIR", dir+"/none")
	t.Setenv("TMP", dir+"/none")
	_, _, err = rerun.Source([]joblog.Entry{{N: 1, Item: &text}}, nil, items.Source{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
