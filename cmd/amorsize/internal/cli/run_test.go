//go:build unix

package cli

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How runs of commands end, and what they write where.
func TestRunsOfCommands(t *testing.T) {
	write(t, filepath.Join(home(t), "items"), "a\nb\n")
	for line, want := range map[string]struct {
		status   int
		out, err string
	}{
		"run -q -k -a items -- echo":                    {0, "a\nb\n", ""},
		"run -q -k -- echo {} :::":                      {0, "", ""},
		"run -q -k -- echo {} {#} ::: a b":              {0, "a 1\nb 2\n", ""},
		"run -q -k echo ::: a :::: items":               {0, "a a\na b\n", ""},
		"run -q -k --tag -a items -- echo x":            {0, "a\tx a\nb\tx b\n", ""},
		"run -q -k --range 2 -- cat":                    {1, "", ""},
		"run -q -k --stdin -a items -- cat":             {0, "a\nb\n", ""},
		"run -q -k --pipe -a items -- cat":              {0, "a\nb\n", ""},
		"run -q -k --batch 2 -a items -- echo":          {0, "a b\n", ""},
		"run -q --output none -a items -- echo":         {0, "", ""},
		"run -q -k --output line -a items -- echo":      {0, "a\nb\n", ""},
		"run -q -k --worker lines -a items -- cat":      {0, "a\nb\n", ""},
		"run -n -a items -- echo x":                     {0, "echo x a\necho x b\n", ""},
		"run -n --sh exit -a items":                     {0, "sh -c exit sh a\nsh -c exit sh b\n", ""},
		"run -q -a items -- false":                      {1, "", ""},
		"run -q --exit-zero -a items -- false":          {0, "", ""},
		"run -q --halt 1 -j 1 -a items -- false":        {4, "", ""},
		"run -q -a items -- no-such-command":            {127, "", "no-such-command: command not found"},
		"run -q -a items -- ./items":                    {126, "", "items"},
		"run -q -a missing -- echo":                     {2, "", "missing"},
		"run -q --log . -a items -- echo":               {2, "", "can't write the log"},
		"run -q --results items -a items -- echo":       {2, "", "items"},
		"run -q --csv --header --tag={x} -a items true": {2, "", "{x}"},
		"run -n --csv -a items -- echo {2}":             {2, "", "no column 2"},
	} {
		got := typed(t, "", strings.Fields(line)...)
		require.Equal(t, []any{want.status, want.out}, []any{got.status, got.out}, "%s: %s", line, got.err)
		if want.err == "" {
			continue
		}
		require.Contains(t, got.err, want.err, line)
	}
}

// A run tells what it runs, how it went, and of a script that takes the item for text.
func TestRunsTellWhatTheyRun(t *testing.T) {
	dir := home(t)
	write(t, "items", "a\nb\n")
	got := typed(t, "", "run", "-a", "items", "--", "true", "--flag")
	require.Contains(t, got.err, "true --flag")
	require.Contains(t, got.err, "2 ok")
	hint := `amorsize: {} in --sh is text, as a shell has it: the item is "$1"` + "\n"
	got = typed(t, "", "run", "-q", "-k", "-a", "items", "--sh", "echo {} $1")
	require.Equal(t, outcome{0, "{} a\n{} b\n", hint}, got)
	got = typed(t, "", "run", "-q", "-k", "-a", "items", "--sh", "echo $1")
	require.Equal(t, outcome{0, "a\nb\n", ""}, got)
	require.Empty(t, typed(t, "", "run", "-n", "-q", "-a", "items", "--sh", "echo {}").err, "nothing is run")
	require.Empty(t, opened(t, dir), "the items are closed")
}

// A command is killed with the run, for which there is a guard: it is marked for it.
func TestCommandsAreGuarded(t *testing.T) {
	home(t)
	got := typed(t, "a\n", "run", "-q", "--sh", `test -n "$AMORSIZE_GUARD" && echo guarded`)
	if runtime.GOOS == "linux" {
		require.Equal(t, outcome{0, "guarded\n", ""}, got)
	}
}

// Workers are told to end before the run does.
func TestWorkersEndWithTheRun(t *testing.T) {
	home(t)
	got := typed(t, "a\nb\n", "run", "-q", "-k", "-j", "1", "--worker", "lines", "--", "sh", "-c", `while read -r x; do echo "$x."; done; echo ended > ended`)
	require.Equal(t, outcome{0, "a.\nb.\n", ""}, got)
	require.Equal(t, "ended\n", read(t, "ended"))
}

// What is written as JSON is one object, on standard output where nothing else goes.
func TestSummaryAsJSON(t *testing.T) {
	home(t)
	got := typed(t, "a\nb\n", "run", "-q", "--json", "--output", "none", "--", "echo")
	require.Regexp(t, `^\{.*"ok":2,.*\}\n$`, got.out)
	got = typed(t, "a\nb\n", "run", "-q", "--json", "--results", "d", "--", "echo")
	require.Regexp(t, `^\{.*"ok":2,.*\}\n$`, got.out)
	require.Equal(t, "a\n", read(t, "d/1.out"))
	require.Equal(t, outcome{0, "a\n", ""}, typed(t, "a\n", "run", "-q", "--summary", "s", "--", "echo"))
	require.Contains(t, read(t, "s"), `"ok":1`)
}

// A signal ends what runs, and the status says which it was.
func TestSignalsEndWhatRuns(t *testing.T) {
	home(t)
	write(t, "items", "a\nb\nc\n")
	for line, status := range map[string]int{
		"run -q -j 1 --grace 1ms TERM": 143, "profile TERM": 143, "profile INT": 130, "tune TERM": 143, "tune INT": 130,
		"watch TERM": 0, "watch INT": 0, // that is its normal end
	} {
		args := strings.Fields(line)
		last := len(args) - 1
		got := typed(t, "", slices.Concat(args[:last], []string{"-a", "items", "--sh", "kill -" + args[last] + " $PPID; exec sleep 1000"})...)
		require.Equal(t, status, got.status, "%s: %s", line, got.err)
		require.Regexp(t, `^amorsize: (draining|terminating): `, got.err, line)
	}
}
