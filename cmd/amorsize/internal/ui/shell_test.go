package ui_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func TestShellLine(t *testing.T) {
	require.Equal(t, "gzip -9 {} {/.} a/b.c", ui.ShellLine([]string{"gzip", "-9", "{}", "{/.}", "a/b.c"}), "what needs no quotes has none")
	require.Equal(t, `'' 'a b' 'it'\''s' '$x' $'a\tb\n'`, ui.ShellLine([]string{"", "a b", "it's", "$x", "a\tb\n"}))
}

// A shell that is given the line has the arguments again.
func TestShellReadsItBack(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	for _, arg := range []string{"", " ", "a b", "it's", `"`, `\`, "*", "~", "#", "a#b", "{a,b}", "{1..3}", "{}", "$HOME", "`id`", "!x", "tab\there", "two\nlines", "ä", "\tit's", "\"\n\\", "a\\\"\tb"} {
		out, err := exec.Command(bash, "-c", "printf %s "+ui.Shell(arg)).Output()
		require.NoError(t, err)
		require.Equal(t, arg, string(out), ui.Shell(arg))
	}
}
