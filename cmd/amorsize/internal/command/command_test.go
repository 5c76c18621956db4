package command_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

func requireStatus(t *testing.T, want int, err error) {
	t.Helper()
	var status *exit.Error
	require.ErrorAs(t, err, &status)
	require.Equal(t, want, status.Code, err)
}

// What can't be run is said before anything is, with the status that shells have for it.
func TestParseFails(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "noexec"), []byte("#!/bin/sh\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "here"), []byte("#!/bin/sh\n"), 0o700))
	for _, c := range []struct {
		cfg  command.Config
		want int
		text string
	}{
		{command.Config{Argv: []string{"no-such-program-1"}}, exit.NotFound, "no-such-program-1: command not found"},
		{command.Config{Argv: []string{filepath.Join(dir, "noexec")}}, exit.NotExecutable, "chmod +x"},
		{command.Config{Argv: []string{"echo", "{b}"}}, exit.BadUsage, "{b}"},
	} {
		_, err := command.Parse(c.cfg, template.Scope{Columns: true, Names: []string{"a"}})
		require.ErrorContains(t, err, c.text)
		requireStatus(t, c.want, err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", ".")
	_, err := command.Parse(command.Config{Argv: []string{"here"}}, template.Scope{})
	require.ErrorContains(t, err, "write ./here")
	requireStatus(t, exit.NotExecutable, err)
	_, err = command.Parse(command.Config{Argv: []string{"./here"}, Nice: 3}, template.Scope{})
	require.ErrorContains(t, err, "nice: command not found", "the program that sets a priority is needed, too")
	_, err = command.Parse(command.Config{Script: "exit 0"}, template.Scope{})
	require.ErrorContains(t, err, "sh: command not found")
	spec, err := command.Parse(command.Config{Argv: []string{"{}"}}, template.Scope{})
	require.NoError(t, err, "a program that is the item is looked for when it is known")
	require.Equal(t, "{}", spec.What())
}

func TestPreview(t *testing.T) {
	columns := items.Of(1, "a b")
	columns.Fields = []string{"a", "b"}
	for name, c := range map[string]struct {
		cfg  command.Config
		it   items.Item
		want string
		what string
	}{
		"the last argument":        {command.Config{Argv: []string{"echo", "-n"}}, items.Of(1, "it's"), `echo -n 'it'\''s'`, "echo -n"},
		"a placeholder":            {command.Config{Argv: []string{"echo", "<{.}>"}}, items.Of(1, "a.txt"), "echo '<a>'", "echo '<{.}>'"},
		"a slot":                   {command.Config{Argv: []string{"echo", "{%}"}}, items.Of(1, "a"), "echo 0 a", "echo {%}"},
		"read, not given":          {command.Config{Argv: []string{"cat"}, Stdin: true}, items.Of(1, "x"), "cat", "cat"},
		"asked for line by line":   {command.Config{Argv: []string{"cat"}, Worker: command.LineWorker}, items.Of(1, "x"), "cat", "cat"},
		"a script":                 {command.Config{Script: "echo $1"}, items.Of(1, "x y"), "sh -c 'echo $1' sh 'x y'", "sh: echo $1"},
		"a script with columns":    {command.Config{Script: "echo $2"}, columns, "sh -c 'echo $2' sh a b", "sh: echo $2"},
		"a script with a block":    {command.Config{Script: "wc", Stdin: true, Pipe: true}, items.Of(1, "x\ny\n"), "sh -c wc sh", "sh: wc"},
		"credentials are not told": {command.Config{Argv: []string{"echo", "-H", "X-Key: abc"}}, items.Of(1, "x"), "echo -H 'X-Key: abc' x", "echo -H 'X-Key: ***'"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := command.Parse(c.cfg, template.Scope{})
			require.NoError(t, err)
			got, err := spec.Preview(c.it)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, c.what, spec.What())
		})
	}
}
