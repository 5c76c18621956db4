package template_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// Columns and names, and what is said of those that there are not.
func TestNames(t *testing.T) {
	named := template.Scope{Columns: true, Names: []string{"id", "First Name", "größe"}}
	row := items.Row(7, []string{"a", "b"})
	for _, c := range []struct {
		text  string
		scope template.Scope
		want  string // what comes out for row, or a part of the error
		err   bool
	}{
		{"{1}-{2}", template.Scope{Columns: true}, "a-b", false},
		{"{1}", template.Scope{}, "a", false},
		{"{2}", template.Scope{}, "lines have one column", true},
		{"{3}", template.Scope{Columns: true}, "item 7 has no column 3", true},
		{"{9999}", template.Scope{Columns: true}, "item 7 has no column 9999", true},
		{"{10000}{0}{-1}", template.Scope{Columns: true}, "{10000}{0}{-1}", false},
		{"{id}", named, `item 7 has no "id"`, true},
		{"{First Name}", named, `item 7 has no "First Name"`, true},
		{"{größe}", named, `item 7 has no "größe"`, true},
		{"{Last Name}", named, "the columns are id, First Name, größe", true},
		{"{nome}", named, "the columns are id, First Name, größe", true},
		{"{print $1}", named, "{print $1}", false},
		{"{x y}", template.Scope{Any: true}, `item 7 has no "x y"`, true},
		{"{x}", template.Scope{Any: true}, `item 7 has no "x"`, true},
		{"{x}", template.Scope{}, "{x}", false},
		{"{x y}", template.Scope{}, "{x y}", false},
		{"{x}", template.Scope{Strict: true}, "unknown placeholder {x}: lines have no names", true},
		{"{x y}", template.Scope{Strict: true}, "{x y}", false},
	} {
		parsed, err := template.Parse(c.text, c.scope)
		var got string
		if err == nil {
			got, err = parsed.Expand(row, 0, nil)
		}
		if c.err {
			require.ErrorIs(t, err, template.ErrTemplate, c.text)
			require.ErrorContains(t, err, c.want)
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
	parsed, err := template.Parse("x{}y", template.Scope{})
	require.NoError(t, err)
	got, err := parsed.Expand(items.Of(1, "a"), 0, func(s string) string { return "<" + s + ">" })
	require.NoError(t, err)
	require.Equal(t, "x<a>y", got, "what comes from the item is escaped, and nothing else")
}

// Command lines of items, of batches of them, and what an item adds.
func TestCommands(t *testing.T) {
	line := func(text string) items.Item { return items.Of(1, text) }
	rows := []items.Item{items.Row(1, []string{"a", "b"}), items.Row(2, []string{"c"})}
	for name, c := range map[string]struct {
		argv  []string
		scope template.Scope
		bare  bool
		batch []items.Item
		want  []string
		adds  []string // of the last item
	}{
		"at the end":        {argv: []string{"echo", "-n"}, batch: []items.Item{line("a"), line("b")}, want: []string{"echo", "-n", "a", "b"}, adds: []string{"b"}},
		"where it is said":  {argv: []string{"cp", "{}", "{.}.bak"}, batch: []items.Item{line("x.c")}, want: []string{"cp", "x.c", "x.bak"}, adds: []string{"x.c", "x.bak"}},
		"each, one by one":  {argv: []string{"tar", "{}", "-C", "{/}", "."}, batch: []items.Item{line("p/a"), line("p/b")}, want: []string{"tar", "p/a", "p/b", "-C", "a", "b", "."}, adds: []string{"p/b", "b"}},
		"the program":       {argv: []string{"{}", "x"}, batch: []items.Item{line("a"), line("b")}, want: []string{"a", "x"}},
		"the slot is none":  {argv: []string{"echo", "{%}"}, batch: []items.Item{line("a")}, want: []string{"echo", "5", "a"}, adds: []string{"a"}},
		"passed otherwise":  {argv: []string{"cat"}, bare: true, batch: []items.Item{line("a")}, want: []string{"cat"}},
		"columns":           {argv: []string{"mv"}, scope: template.Scope{Columns: true, Several: true}, batch: rows, want: []string{"mv", "a", "b", "c"}, adds: []string{"c"}},
		"columns, named":    {argv: []string{"mv", "{1}"}, scope: template.Scope{Columns: true, Several: true}, batch: rows, want: []string{"mv", "a", "c"}, adds: []string{"c"}},
		"of a worker":       {argv: []string{"sh", "{}"}, batch: nil, want: []string{"sh", ""}},
		"awk's own braces":  {argv: []string{"awk", "{print $1}"}, batch: []items.Item{line("a")}, want: []string{"awk", "{print $1}", "a"}, adds: []string{"a"}},
		"a word, and an {}": {argv: []string{"echo", "{x}", "{}"}, batch: []items.Item{line("a")}, want: []string{"echo", "{x}", "a"}, adds: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			command, err := template.ParseCommand(c.argv, c.scope, c.bare)
			require.NoError(t, err)
			got, err := command.Expand(c.batch, 5)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if len(c.batch) > 0 {
				require.Equal(t, c.adds, command.Adds(c.batch[len(c.batch)-1]))
			}
		})
	}
	_, err := template.ParseCommand([]string{"echo", "{x}"}, template.Scope{}, false)
	require.ErrorContains(t, err, "to pass it as it is, add {}")
	command, err := template.ParseCommand([]string{"echo", "{x}"}, template.Scope{}, true)
	require.NoError(t, err)
	program, ok := command.Program()
	require.True(t, ok)
	require.Equal(t, "echo", program)
	command, err = template.ParseCommand([]string{"{}"}, template.Scope{}, false)
	require.NoError(t, err)
	_, ok = command.Program()
	require.False(t, ok, "it depends on the item")
	command, err = template.ParseCommand(nil, template.Scope{}, true)
	require.NoError(t, err)
	_, ok = command.Program()
	require.False(t, ok)
	command, err = template.ParseCommand([]string{"echo", "{2}"}, template.Scope{Columns: true}, false)
	require.NoError(t, err)
	_, err = command.Expand(rows[1:], 0)
	require.ErrorIs(t, err, template.ErrTemplate)
	require.Empty(t, command.Adds(rows[1]), "there is no value")
}
