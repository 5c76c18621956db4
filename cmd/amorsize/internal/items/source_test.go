package items_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// file returns the path of a file with this text.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "input")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// Each source, and the number of its items as it is told before they are read.
func TestSources(t *testing.T) {
	for name, c := range map[string]struct {
		source items.Source
		stdin  string
		want   []string
		total  int
	}{
		"lines":                   {items.Source{}, "a\n\nb", []string{"a", "", "b"}, -1},
		"lines of a file":         {items.Source{File: file(t, "a\n\nb")}, "", []string{"a", "", "b"}, 3},
		"the last line ended":     {items.Source{File: file(t, "a\nb\n")}, "", []string{"a", "b"}, 2},
		"a mark":                  {items.Source{}, "\ufeffa\n\ufeffb\n", []string{"a", "\ufeffb"}, -1},
		"a mark of a file":        {items.Source{File: file(t, "\ufeffa\nb")}, "", []string{"a", "b"}, 2},
		"nothing but a mark":      {items.Source{File: file(t, "\ufeff")}, "", nil, 0},
		"a mark and a blank line": {items.Source{File: file(t, "\ufeff\n")}, "", []string{""}, 1},
		"a mark of a list":        {items.Source{Lists: []items.List{{File: file(t, "\ufeffp\nq\n")}, {File: "-"}}}, "\ufeff1\n", []string{"p 1", "q 1"}, 2},
		"no mark before NUL":      {items.Source{NUL: true}, "\ufeffa\x00b", []string{"\ufeffa", "b"}, -1},
		"a mark before NUL":       {items.Source{File: file(t, "\ufeff"), NUL: true}, "", []string{"\ufeff"}, 1},
		"a mark before a block":   {items.Source{Format: items.Blocks, Block: 4}, "\ufeffab\ncd\n", []string{"\ufeffab\n", "cd\n"}, -1},
		"half a mark":             {items.Source{}, "\xef\xbb", []string{"\xef\xbb"}, -1},
		"a single character":      {items.Source{File: file(t, "a")}, "", []string{"a"}, 1},
		"an empty file":           {items.Source{File: file(t, "")}, "", nil, 0},
		"lines that are blank":    {items.Source{File: file(t, "a\n \nb\n"), SkipEmpty: true}, "", []string{"a", "b"}, -1},
		"standard input by name":  {items.Source{File: "-"}, "a\n", []string{"a"}, -1},
		"NUL":                     {items.Source{NUL: true}, "a\nb\x00c", []string{"a\nb", "c"}, -1},
		"another delimiter":       {items.Source{File: file(t, "a;b;c"), Delimiter: ';'}, "", []string{"a", "b", "c"}, 3},
		"arguments":               {items.Source{UseArgs: true, Args: []string{"x", "", "y"}}, "", []string{"x", "", "y"}, 3},
		"a limit":                 {items.Source{UseArgs: true, Args: []string{"x", "y", "z"}, Limit: 2}, "", []string{"x", "y"}, 2},
		"a limit of one":          {items.Source{UseArgs: true, Args: []string{"x", "y"}, Limit: 1}, "", []string{"x"}, 1},
		"a limit above":           {items.Source{UseArgs: true, Args: []string{"x", "y"}, Limit: 3}, "", []string{"x", "y"}, 2},
		"a limit of blank ones":   {items.Source{SkipEmpty: true, Limit: 2}, "a\n\nb\nc\n", []string{"a", "b"}, -1},
		"a range":                 {items.Source{Range: "3-12/4"}, "", []string{"3", "7", "11"}, 3},
		"a range to its end":      {items.Source{Range: "3-11/4"}, "", []string{"3", "7", "11"}, 3},
		"lists":                   {items.Source{Lists: []items.List{{Values: []string{"a", "b"}}, {Values: []string{"1", "2", "3"}}}}, "", []string{"a 1", "a 2", "a 3", "b 1", "b 2", "b 3"}, 6},
		"linked lists":            {items.Source{Lists: []items.List{{Values: []string{"a", "b"}}, {Values: []string{"1", "2"}, Linked: true}}}, "", []string{"a 1", "b 2"}, 2},
		"linked, and one more":    {items.Source{Lists: []items.List{{Values: []string{"a", "b"}}, {Values: []string{"1", "2"}, Linked: true}, {Values: []string{"x", "y"}}}}, "", []string{"a 1 x", "a 1 y", "b 2 x", "b 2 y"}, 4},
		"a list of a file":        {items.Source{Lists: []items.List{{File: file(t, "p\nq\n")}, {File: "-"}}}, "1\n2\n", []string{"p 1", "p 2", "q 1", "q 2"}, 4},
		"one list":                {items.Source{Lists: []items.List{{Values: []string{"a b"}}}}, "", []string{"a b"}, 1},
		"an empty list":           {items.Source{Lists: []items.List{{Values: []string{"a"}}, {}}}, "", nil, 0},
		"groups":                  {items.Source{Group: 2}, "a\nb\nc\n", []string{"a b", "c"}, -1},
		"groups of a file":        {items.Source{File: file(t, "a\nb\nc\nd\ne\n"), Group: 2}, "", []string{"a b", "c d", "e"}, 3},
		"groups that come out":    {items.Source{File: file(t, "a\nb\nc\nd\n"), Group: 2}, "", []string{"a b", "c d"}, 2},
		"groups of a range":       {items.Source{Range: "5", Group: 2}, "", []string{"1 2", "3 4", "5"}, 3},
		"groups of arguments":     {items.Source{Args: []string{"a", "b", "c"}, UseArgs: true, Group: 2}, "", []string{"a b", "c"}, 2},
		"a limit of a range":      {items.Source{Range: "8", Group: 2, Limit: 3}, "", []string{"1 2", "3 4", "5 6"}, 3},
		"groups of one":           {items.Source{File: file(t, "a\nb\n"), Group: 1}, "", []string{"a", "b"}, 2},
		"a limit of groups":       {items.Source{Group: 2, Limit: 1}, "a\nb\nc\n", []string{"a b"}, -1},
		"rows":                    {items.Source{Rows: [][]string{{"a", "b"}, {"c", "d"}}, Group: 2}, "", []string{"a b", "c d"}, 2},
		"blocks":                  {items.Source{Format: items.Blocks, Block: 4}, "ab\ncd\nef\n", []string{"ab\ncd\n", "ef\n"}, -1},
		"a line beyond a block":   {items.Source{Format: items.Blocks, Block: 2}, "abcdef\ng", []string{"abcdef\n", "g"}, -1},
		"blocks of nothing":       {items.Source{Format: items.Blocks, Block: 2}, "", nil, -1},
		"CSV":                     {items.Source{Format: items.CSV}, "a,\"b\nc\"\nd,e\n", []string{"a,\"b\nc\"", "d,e"}, 2},
		"CSV with semicolons":     {items.Source{Format: items.CSV, Separator: ";"}, "a;b\n", []string{"a;b"}, 1},
		"CSV of a file, a header": {items.Source{File: file(t, "\ufeffx,y\na,b\n"), Format: items.CSV, Header: true}, "", []string{"a,b"}, 1},
		"TSV":                     {items.Source{Format: items.TSV}, "a\tb\r\nc\td\n", []string{"a\tb", "c\td"}, 2},
		"TSV with another text":   {items.Source{Format: items.TSV, Separator: "::"}, "a::b\n", []string{"a::b"}, 1},
		"JSON lines":              {items.Source{Format: items.JSONL}, " {\"a\":1} \n\n[2]\n", []string{`{"a":1}`, "[2]"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := c.source.Open(strings.NewReader(c.stdin))
			require.NoError(t, err)
			require.Equal(t, c.total, in.Total())
			var got []string
			for it := range in.All() {
				got = append(got, it.Text)
				require.Equal(t, len(got), it.N)
			}
			require.NoError(t, in.Err())
			require.NoError(t, in.Close())
			require.Equal(t, c.want, got)
		})
	}
}

// Sources that are refused before anything is run, with words.
func TestBadSources(t *testing.T) {
	for words, source := range map[string]items.Source{
		"is a directory":                {File: t.TempDir()},
		"no such file":                  {File: "/nowhere/at/all"},
		"same number of values, not 1":  {Lists: []items.List{{Values: []string{"a"}}, {Values: []string{"1", "2"}, Linked: true}}},
		"too many combinations":         {Lists: slices.Repeat([]items.List{{Values: make([]string, 1300)}}, 3)},
		"can't read the items: open":    {Lists: []items.List{{File: "/nowhere/at/all"}}},
		"line 2 is not valid JSON":      {File: file(t, "1\n{\n"), Format: items.JSONL},
		"line 3 has 1 columns, the fir": {File: file(t, "a\tb\nc\td\ne\n"), Format: items.TSV},
		"line 2 is not valid CSV":       {File: file(t, "a,b\nc\n"), Format: items.CSV},
	} {
		_, err := source.Open(strings.NewReader(""))
		require.ErrorIs(t, err, items.ErrInput, words)
		require.ErrorContains(t, err, words)
	}
	in, err := items.Source{Lists: slices.Repeat([]items.List{{Values: make([]string, 1290)}}, 3)}.Open(nil)
	require.NoError(t, err)
	require.Equal(t, 1290*1290*1290, in.Total())
	var lists []items.List
	for _, n := range []int{9, 7, 11, 31, 151, 331, 2} {
		lists = append(lists, items.List{Values: make([]string, n)})
	}
	in, err = items.Source{Lists: lists}.Open(nil)
	require.NoError(t, err, "as many as there may be")
	require.Equal(t, math.MaxInt32-1, in.Total())
}

// What fails on the way ends the items, and is told.
func TestFailingInput(t *testing.T) {
	broken := errors.New("out of order")
	for name, source := range map[string]items.Source{
		"lines": {}, "groups": {Group: 2}, "blocks": {Format: items.Blocks, Block: 4}, "shuffled": {Shuffle: true},
	} {
		in, err := source.Open(io.MultiReader(strings.NewReader("ab\ncd\nef"), iotest.ErrReader(broken)))
		require.NoError(t, err, name)
		for range in.All() {
		}
		require.ErrorIs(t, in.Err(), broken, name)
		require.ErrorIs(t, in.Err(), items.ErrInput, name)
	}
	for _, format := range []items.Format{items.CSV, items.TSV, items.JSONL} {
		_, err := items.Source{Format: format}.Open(io.MultiReader(strings.NewReader("1\n2\n"), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
	}
	_, err := items.Source{Lists: []items.List{{File: "-"}}}.Open(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

// Leaving the loop early reads no more, whatever the source.
func TestLeftEarly(t *testing.T) {
	for name, source := range map[string]items.Source{
		"lines": {}, "groups": {Group: 2}, "blocks": {Format: items.Blocks, Block: 4}, "shuffled": {Shuffle: true},
		"CSV": {Format: items.CSV}, "TSV": {Format: items.TSV}, "JSON": {Format: items.JSONL},
		"arguments": {UseArgs: true, Args: []string{"1", "2", "3", "4"}}, "range": {Range: "9"},
		"lists": {Lists: []items.List{{Values: []string{"1", "2", "3"}}}}, "rows": {Rows: [][]string{{"1"}, {"2"}, {"3"}}},
	} {
		in, err := source.Open(strings.NewReader("1\n2\n3\n4\n5\n6\n"))
		require.NoError(t, err, name)
		n := 0
		for range in.All() {
			if n++; n == 2 {
				break
			}
		}
		require.Equal(t, 2, n, name)
		require.NoError(t, in.Err(), name)
		require.NoError(t, in.Close(), name)
	}
}

// Items that are run again keep their numbers; those beyond the list have their place.
func TestNumbers(t *testing.T) {
	in, err := items.Source{UseArgs: true, Args: []string{"a", "b", "c"}, Numbers: []int{7, 9}}.Open(nil)
	require.NoError(t, err)
	var got []int
	for it := range in.All() {
		got = append(got, it.N)
	}
	require.Equal(t, []int{7, 9, 3}, got)
}

func TestShuffle(t *testing.T) {
	in, err := items.Source{Range: "1000", Shuffle: true}.Open(nil)
	require.NoError(t, err)
	var numbers []int
	for it := range in.All() {
		require.Equal(t, strconv.Itoa(it.N), it.Text)
		numbers = append(numbers, it.N)
	}
	require.Len(t, numbers, 1000)
	require.False(t, slices.IsSorted(numbers))
	slices.Sort(numbers)
	require.Len(t, slices.Compact(numbers), 1000)
}

// Whoever chooses sees all items in their order, also of those that are shuffled afterwards; the others are left out.
func TestChoose(t *testing.T) {
	for _, shuffle := range []bool{false, true} {
		in, err := items.Source{Range: "10-19", Shuffle: shuffle}.Open(nil)
		require.NoError(t, err)
		var seen, chosen []int
		in.Choose(func(all iter.Seq[items.Item]) iter.Seq[items.Item] {
			return func(yield func(items.Item) bool) {
				for it := range all {
					if seen = append(seen, it.N); it.N%3 == 0 && !yield(it) {
						return
					}
				}
			}
		})
		for it := range in.All() {
			chosen = append(chosen, it.N)
		}
		require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, seen)
		require.ElementsMatch(t, []int{3, 6, 9}, chosen)
	}
}

// What an item says of its columns and members.
func TestColumns(t *testing.T) {
	first := func(s items.Source, stdin string) (items.Item, *items.Input) {
		in, err := s.Open(strings.NewReader(stdin))
		require.NoError(t, err)
		for it := range in.All() {
			return it, in
		}
		require.Fail(t, "no item")
		return items.Item{}, nil
	}
	column := func(it items.Item, i int) string { v, ok := it.Column(i); return fmt.Sprint(v, " ", ok) }
	named := func(it items.Item, name string) string { v, ok := it.Named(name); return fmt.Sprint(v, " ", ok) }

	line, in := first(items.Source{}, "a b\n")
	require.Equal(t, []string{"a b true", "a b false", " false"}, []string{column(line, 1), column(line, 2), named(line, "a")})
	require.False(t, in.Columns() || in.Several() || in.Records())
	require.Nil(t, in.Names())
	require.Nil(t, line.Values())

	csv, in := first(items.Source{Format: items.CSV, Header: true}, "x,y,x\n1,<2,3\n")
	require.Equal(t, []string{"1 true", "3 true", " false", " false"}, []string{column(csv, 1), column(csv, 3), column(csv, 0), column(csv, 4)})
	require.Equal(t, []string{"1 true", "<2 true", " false"}, []string{named(csv, "x"), named(csv, "y"), named(csv, "z")})
	require.Equal(t, `{"x":"1","y":"<2","x":"3"}`, string(csv.JSON()))
	require.Equal(t, []string{"x", "y", "x"}, in.Names())
	require.True(t, in.Columns())
	require.False(t, in.Several() || in.Records())
	require.Nil(t, csv.Values())

	tsv, in := first(items.Source{Format: items.TSV, Header: true}, "x\ty\n1\t\n")
	require.Equal(t, []string{" true", " true"}, []string{column(tsv, 2), named(tsv, "y")})
	require.True(t, in.Columns())
	tsv, _ = first(items.Source{Format: items.TSV}, "1\t2\n")
	require.Equal(t, `["1","2"]`, string(tsv.JSON()))

	record, in := first(items.Source{Format: items.JSONL}, `{"a":"x\"","b":null,"c":[1, 2]}`)
	require.Equal(t, []string{`x" true`, "null true", "[1, 2] true", " false"}, []string{named(record, "a"), named(record, "b"), named(record, "c"), named(record, "d")})
	require.Equal(t, record.Text, string(record.JSON()))
	require.True(t, in.Records())
	value, _ := first(items.Source{Format: items.JSONL}, `"a"`)
	require.Equal(t, " false", named(value, "a"))
	require.Equal(t, `"a"`, string(value.JSON()), "a value is what it is")
	semicolons, _ := first(items.Source{Format: items.CSV, Separator: ";"}, "a,b;c\n")
	require.Equal(t, []string{"a,b true", "c true"}, []string{column(semicolons, 1), column(semicolons, 2)})

	row, in := first(items.Source{Rows: [][]string{{"a b", "c"}}}, "")
	require.Equal(t, []string{"a b", "c"}, row.Values())
	require.True(t, in.Several() && in.Columns())
	other, _ := first(items.Source{Rows: [][]string{{"a", "b c"}}}, "")
	require.NotEqual(t, row.Identity(), other.Identity(), "the text is the same, the columns are not")
	_, in = first(items.Source{Group: 2}, "a\nb\n")
	require.True(t, in.Several())
	_, in = first(items.Source{Lists: []items.List{{Values: []string{"a"}}, {Values: []string{"b"}}}}, "")
	require.True(t, in.Several())

	for _, single := range []items.Source{
		{Group: 1}, {Rows: [][]string{{"a"}}}, {Lists: []items.List{{Values: []string{"a"}}}},
	} {
		it, in := first(single, "a\nb\n")
		require.False(t, in.Several())
		require.Nil(t, it.Values())
		require.Equal(t, `"a"`, string(it.JSON()), "a single value is no list of one")
		require.Equal(t, items.Of(1, "a").Identity(), it.Identity(), "nor another item than the same line")
	}
}

// once is a reader of a text, and fails the test when more is asked for.
type once struct {
	t    *testing.T
	text string
}

func (o *once) Read(p []byte) (int, error) {
	if o.text == "" {
		o.t.Error("waits for more than the first line")
		return 0, io.EOF
	}
	n := copy(p, o.text)
	o.text = o.text[n:]
	return n, nil
}

// A line that somebody types is an item as soon as it ends, however short it is.
func TestFirstLineIsNotHeldBack(t *testing.T) {
	for _, line := range []string{"a", ""} {
		in, err := items.Source{}.Open(&once{t, line + "\n"})
		require.NoError(t, err)
		for item := range in.All() {
			require.Equal(t, line, item.Text)
			break
		}
	}
}
