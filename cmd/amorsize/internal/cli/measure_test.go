//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
)

// object reads the JSON that a command line wrote.
func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &o), text)
	return o
}

// A profile of a command: as a text or as JSON, and in the history.
func TestProfileOfACommand(t *testing.T) {
	dir := home(t)
	write(t, "items", "a\n")
	got := typed(t, "", "profile", "--budget", "1s", "-a", "items", "--", "echo", "x")
	require.Equal(t, []any{0, ""}, []any{got.status, got.err})
	require.True(t, strings.HasPrefix(got.out, "echo x\n  item "), got.out)
	require.Contains(t, got.out, "1 sampled")
	require.Contains(t, got.out, "amorsize run")
	got = typed(t, "", "profile", "--budget", "1s", "--json", "-a", "items", "--sh", "exit 3")
	require.Equal(t, []any{0, ""}, []any{got.status, got.err})
	require.True(t, strings.HasSuffix(got.out, "}\n"))
	p := object(t, got.out)
	require.Equal(t, []any{"profile", 1.0, 1.0}, []any{p["cmd"], p["items"], p["failed"]})
	all, err := history.List()
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, []string{"profile", "echo x"}, []string{all[0].Cmd, all[0].What})
	require.Empty(t, opened(t, dir), "the items are closed")
	require.Empty(t, children(t))
}

// The flags of a command that affect its cost are those of run; what it writes is shown only if that is asked for.
func TestMeasuredCommandsHaveTheFlagsOfRun(t *testing.T) {
	dir := home(t)
	write(t, "d/e", "")
	args := strings.Fields("profile --budget 1s --json --stdin --chdir d --env A=1 --env B=2 -a items --sh")
	write(t, "items", "x\n")
	args = append(args, `echo "$PWD $A$B" >&2; cat >&2`)
	require.Empty(t, typed(t, "", args...).err)
	got := typed(t, "", append([]string{"profile", "-v"}, args[1:]...)...)
	require.Equal(t, 0, got.status)
	require.Contains(t, got.err, dir+"/d 12\nx")
	object(t, got.out)
	got = typed(t, "a\nb\nc\nd\n", "profile", "--budget", "1s", "-v", "--batch", "2", "--", "echo")
	require.Contains(t, got.out, "a b\n")
}

// How many items are to be run is known of a list, of a range, and of a stream that ends soon.
func TestHowManyItemsAProfileIsFor(t *testing.T) {
	home(t)
	for of, want := range map[string]float64{"stream 3": 3, "stream 99999": 99_999, "stream 100000": -1, "stream 100001": -1, "--range 5": 5, "--range 100000": 100_000, "--range 100001": 100_001} {
		what, n, _ := strings.Cut(of, " ")
		stdin, args := "", []string{"profile", "--budget", "1ns", "--skip-empty", "--json"}
		if what == "stream" {
			stdin = strings.Repeat("a\n", int(map[string]float64{"3": 3, "99999": 99_999, "100000": 100_000, "100001": 100_001}[n]))
		} else {
			args = append(args, what, n)
		}
		got := typed(t, stdin, append(args, "--", "true")...)
		require.Equal(t, 0, got.status, got.err)
		require.Equal(t, want, object(t, got.out)["items"], of)
	}
}

// What can't be measured is told, and nothing is left of it.
func TestWhatCannotBeMeasured(t *testing.T) {
	dir := home(t)
	write(t, "items", "a\nb\n")
	write(t, "none", "")
	for line, want := range map[string]outcome{
		"profile -a none -- true":            {2, "", "no items to measure with: give some with --range, ::: or on standard input"},
		"tune -a none -- true":               {2, "", "no items to measure with"},
		"watch -a none -- true":              {2, "", "no items to measure with"},
		"profile -a missing -- true":         {2, "", "missing"},
		"profile -a items -- no-such-thing":  {127, "", "no-such-thing: command not found"},
		"profile -a items -- ./items":        {126, "", "items"},
		"profile -a items --":                {2, "", "no command: write it after --"},
		"tune -a items -- no-such-thing":     {127, "", "no-such-thing"},
		"watch -a items -- no-such-thing":    {127, "", "no-such-thing"},
		"profile -a items a b":               {2, "", "give one function"},
		"profile -a items --range 5 -- true": {2, "", "items have one source"},
	} {
		got := typed(t, "", strings.Fields(line)...)
		require.Equal(t, []any{want.status, want.out}, []any{got.status, got.out}, "%s: %s", line, got.err)
		require.Contains(t, got.err, want.err, line)
		require.Empty(t, opened(t, dir), line)
		require.Empty(t, children(t), line)
	}
}

// A table has the numbers of workers up to the largest one; what is going to run is told before.
func TestTune(t *testing.T) {
	home(t)
	got := typed(t, "", "tune", "--budget", "1ms", "--max-workers", "2", "--json", "--range", "8", "--", "true")
	require.Equal(t, 0, got.status)
	require.Regexp(t, `^amorsize: true · 8 items × 3 rounds × \d worker counts · results are dropped\n$`, got.err)
	table := object(t, got.out)
	require.Equal(t, []any{"tune", 8.0}, []any{table["cmd"], table["items"]})
	rows, _ := table["rows"].([]any)
	require.GreaterOrEqual(t, len(rows), 2)
	for _, row := range rows {
		require.Contains(t, []any{1.0, 2.0, table["predicted_workers"]}, row.(map[string]any)["workers"])
	}
	got = typed(t, "", "tune", "--budget", "1ms", "--max-workers", "1", "--batch", "auto", "--range", "8", "--", "echo")
	require.Equal(t, 0, got.status)
	require.Contains(t, got.out, "workers")
	require.Contains(t, got.out, "items per job", "sizes of a batch are measured, too")
	all, err := history.List()
	require.NoError(t, err)
	require.Equal(t, []string{"tune", "true"}, []string{all[0].Cmd, all[0].What})
}

// A watch shows what it measures, and a line for each profile.
func TestWatch(t *testing.T) {
	home(t)
	watch := strings.Fields("watch --interval 1ns --budget 1ms --range 3")
	got := typed(t, "", append(watch, "--count", "2", "--", "true")...)
	require.Equal(t, []any{0, ""}, []any{got.status, got.err})
	require.Regexp(t, `^true\n[0-9:]{8}  item .*\n[0-9:]{8}  item .*\n$`, got.out)
	got = typed(t, "", append(watch, "--count", "3", "--json", "--", "true")...)
	require.Equal(t, []any{0, ""}, []any{got.status, got.err})
	require.Equal(t, 3, strings.Count(got.out, "\n"))
	first, _, _ := strings.Cut(got.out, "\n")
	require.Equal(t, []any{}, object(t, first)["drift"])
	got = typed(t, "", append(watch, "--count", "1", "--", "true")...)
	require.Equal(t, 2, strings.Count(got.out, "\n"))
}

// Profiles of functions say how they were built, and how often a function is called for a batch.
func TestMeasurementsOfFunctions(t *testing.T) {
	temporary := withFunctions(t)
	profile := strings.Fields("profile --budget 50ms ./calc.Tell")
	got := typed(t, "", append(profile, "--range", "5")...)
	require.Equal(t, []any{0, ""}, []any{got.status, got.err})
	require.True(t, strings.HasPrefix(got.out, "calc.Tell   func(s string) (string, error)   calc/calc.go:14\n  built in "), got.out)
	require.Regexp(t, `\(overlay; nothing written\) · no race check: `, got.out, "there is no cgo here")
	got = typed(t, "", append(profile, "--race=false", ":::", "print")...)
	require.Regexp(t, `\n  built before\n`, got.out)
	require.Empty(t, got.err)
	require.Contains(t, typed(t, "", append(profile, "--race=false", "-v", ":::", "print")...).err, "it prints\n")
	got = typed(t, "", append(profile, "--race=false", ":::", "exit")...)
	require.NotZero(t, got.status)
	require.NotEmpty(t, got.err)
	got = typed(t, "", "watch", "--count", "1", "--budget", "50ms", "./calc.Tell", ":::", "exit")
	require.NotZero(t, got.status)
	require.NotEmpty(t, got.err)
	for batch, said := range map[string]string{"7": "a call of 7\n", "auto": "a call of 100\n"} {
		got = typed(t, "", "profile", "--budget", "50ms", "--race=false", "-v", "--batch", batch, "./calc.Many", "--range", "200")
		require.Equal(t, 0, got.status, got.err)
		require.Contains(t, got.err, said)
	}
	require.Equal(t, 3, typed(t, "", "profile", "./calc.Missing", "--range", "5").status)
	require.Equal(t, 3, typed(t, "", "profile", "./calc.Many", "--range", "5", "--batch", "1", "--tags", "x", "--fn", "nothing").status)
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left, "nothing that was built for a measurement stays")
	require.Empty(t, children(t))
}

func TestOneTarget(t *testing.T) {
	for args, want := range map[string][3]string{"f": {"f", "", ""}, "": {"", "", "name a function"}, "a b": {"", "", "give one function, not a b;"}, "./p": {"./p", "func", ""}} {
		name, err := oneTarget(strings.Fields(args), want[1])
		require.Equal(t, want[0], name)
		if want[2] != "" {
			require.ErrorContains(t, err, want[2])
		} else {
			require.NoError(t, err)
		}
	}
	name, err := oneTarget(nil, "func() {}")
	require.NoError(t, err, "an expression needs no package")
	require.Empty(t, name)
	_, err = oneTarget([]string{"a", "b"}, "func() {}")
	require.Error(t, err)
}
