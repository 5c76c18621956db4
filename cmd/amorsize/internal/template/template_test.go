package template_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

func TestExpand(t *testing.T) {
	for _, c := range []struct{ text, item, want string }{
		{"{}", "a b", "a b"},
		{"{.}", "x.tar.gz", "x.tar"},
		{"{.}", "dir.d/x", "dir.d/x"},
		{"{.}", "dir/.profile", "dir/.profile"},
		{"{/}", "a/b/c.txt", "c.txt"},
		{"{//}", "a/b/c.txt", "a/b"},
		{"{//}", "c.txt", "."},
		{"{/.}", "a/b/c.txt", "c"},
		{"{#}:{%}", "x", "7:3"},
		{"{{.Name}} {}", "x", "{{.Name}} x"},
		{"{{}}", "x", "{{}}"},
		{"{ } {a,b} {$1} { {} }", "x", "{ } {a,b} {$1} { x }"},
		{"}{", "x", "}{"},
		{"{", "x", "{"},
		{"{{", "x", "{{"},
	} {
		parsed, err := template.Parse(c.text, template.Scope{})
		require.NoError(t, err, c.text)
		it := items.Of(7, c.item)
		got, err := parsed.Expand(it, 3, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.text)
	}
}

// FuzzTemplate: what is put in comes out once for each {}, and all else is left as
// it was.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"", "{}", "a{}b{.}", "{{x}} {}", "{ {} }", "}}{{", "{/./}{%}", "{name}{12}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := template.Parse(text, template.Scope{Columns: true, Names: []string{"name"}})
		if err != nil {
			require.ErrorIs(t, err, template.ErrTemplate)
			return
		}
		plain, err := template.Parse(strings.ReplaceAll(strings.ReplaceAll(text, "{", "("), "}", ")"), template.Scope{Names: []string{}})
		require.NoError(t, err)
		require.True(t, plain.Constant())
		same, err := plain.Expand(items.Of(1, "x"), 0, nil)
		require.NoError(t, err)
		require.Len(t, same, len(text))
		// The empty item leaves the text between the placeholders.
		rest, err := parsed.Expand(items.Of(1, ""), 0, func(string) string { return "" })
		if err != nil {
			require.ErrorIs(t, err, template.ErrTemplate)
			return
		}
		require.LessOrEqual(t, len(rest), len(text))
		if parsed.Constant() && !strings.Contains(text, "{%}") {
			require.Equal(t, text, rest)
		}
	})
}
