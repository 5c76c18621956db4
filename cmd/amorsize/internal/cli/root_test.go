package cli

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
)

// What is typed without anything is a question for help, which ends well.
func TestHelpEndsWell(t *testing.T) {
	home(t)
	for line, said := range map[string]string{
		"":               "amorsize -- command is short for amorsize run -- command.",
		"--help":         "amorsize -- command is short for amorsize run -- command.",
		"run --help":     "Usage:\n  amorsize run [flags] -- command [argument | {}]... [::: item...]...\n\nItems:\n  -a, --arg-file file",
		"http -h":        "Usage:\n  amorsize http [flags] URL-template [::: item...]\n\nItems:\n",
		"exec --help":    "Usage:\n  amorsize exec [flags] PKG.Func [::: item...]\n\nItems:\n",
		"profile --help": "Usage:\n  amorsize profile [flags] PKG.Func | -- command [argument]...\n\nItems:\n",
		"retry":          "",
		"retry -h":       "Run the failed items of a log again",
		"retry --help":   "amorsize retry run.jsonl --retries 5",
		"history":        "Show earlier measurements.",
		"help doctor":    "Show the cores, the quota",
	} {
		got := typed(t, "", strings.Fields(line)...)
		if said == "" {
			require.Equal(t, 2, got.status, line)
			continue
		}
		require.Equal(t, 0, got.status, line)
		require.Empty(t, got.err, line)
		require.Contains(t, got.out, said, line)
	}
}

// The help shows flags by group, in the order in which they are explained, and what they are unless given.
func TestHelpShowsGroups(t *testing.T) {
	home(t)
	for name, groups := range map[string]string{
		"run": "Items Command Size Rate Failure Output", "http": "Items Request Metered+services Size Rate Failure Output",
		"exec": "Items Go+function Size Rate Failure Output", "profile": "Items Go+function Command Measurement Go+function,+more",
		"tune": "Items Go+function Command Measurement Series", "watch": "Items Go+function Command Measurement Watch",
	} {
		help := typed(t, "", name, "--help").out
		found := regexp.MustCompile(`(?m)^([A-Z].*):$`).FindAllStringSubmatch(help[strings.Index(help, "\nUsage:"):], -1)
		var titles []string
		for _, match := range found[1:] {
			titles = append(titles, strings.ReplaceAll(match[1], " ", "+"))
		}
		require.Equal(t, groups, strings.Join(titles, " "), name)
		require.Regexp(t, `(?s)--arg-file file.*--null.*--delimiter.*--csv.*--limit`, help, "they are not sorted by letter")
		for line := range strings.Lines(help) {
			if strings.HasPrefix(line, "  -") || strings.HasPrefix(line, "      ") {
				require.LessOrEqual(t, len([]rune(line)), 101, "a line of the help fits 100 columns")
			}
		}
	}
	require.Contains(t, typed(t, "", "http", "--help").out, "--jobs auto")
	require.Regexp(t, `--explain +show what a job costs and what each limit allows\n +-n, --dry-run`, strings.ReplaceAll(typed(t, "", "run", "--help").out, "  -n", "  -n"))
}

func TestHelpNamesAllCommandsByGroup(t *testing.T) {
	home(t)
	help := typed(t, "", "--help").out
	require.Regexp(t, `(?s)Run:\n.*  run .*Measure:\n.*  profile .*Past runs:\n.*  retry .*Additional Commands:\n.*completion `, help)
	for name, group := range map[string]string{
		"run": "run", "http": "run", "exec": "run", "profile": "measure", "tune": "measure", "watch": "measure", "doctor": "measure",
		"retry": "past", "report": "past", "history": "past", "man": "", "version": "", "completion": "",
		"optimize": "measure", "compare": "measure", "validate": "measure",
	} {
		c, _, err := newRoot().Find([]string{name})
		require.NoError(t, err)
		require.Equal(t, group, c.GroupID, name)
	}
}

// After its name a command's arguments are its own; a function's may be followed by flags.
func TestFlagsAfterTheCommandAreTheCommands(t *testing.T) {
	for line, want := range map[string]string{
		"run -k x -q": "x -q", "run -k x -- -q": "x -- -q", "http -k u -q": "u -q", "exec -k f -q": "f", "profile -v f --json": "f", "tune f --json": "f", "watch f --json": "f",
	} {
		args := strings.Fields(line)
		c, rest, err := newRoot().Find(args)
		require.NoError(t, err)
		require.NoError(t, c.ParseFlags(rest))
		require.Equal(t, strings.Fields(want), c.Flags().Args(), line)
	}
}

// "amorsize -- command" is "amorsize run -- command".
func TestDashesBeginARun(t *testing.T) {
	commands(t)
	home(t)
	got := typed(t, "a\n", "--", "echo", "-k")
	require.Equal(t, outcome{0, "-k a\n", got.err}, got)
	require.Contains(t, got.err, "1 ok")
	got = typed(t, "", "-k", "--", "echo")
	require.Equal(t, 2, got.status)
}

// An error is one line that says whose it is.
func TestComplain(t *testing.T) {
	var b bytes.Buffer
	complain(&b, errors.New(" it is wrong\n\n"))
	require.Equal(t, "amorsize: it is wrong\n", b.String())
}

func TestVersionAndManualPages(t *testing.T) {
	home(t)
	require.Equal(t, outcome{0, this().String() + "\n", ""}, typed(t, "", "version"))
	got := typed(t, "", "man", "run")
	require.Equal(t, 0, got.status)
	require.Contains(t, got.out, `.TH "AMORSIZE-RUN" "1" "Jan 1970" "amorsize `+version()+`" "Amorsize"`)
	require.NotContains(t, got.out, "Auto generated")
	require.Contains(t, typed(t, "", "man").out, `.TH "AMORSIZE" "1" "Jan 1970"`)
	require.Equal(t, outcome{}, typed(t, "", "man", "--dir", "a/b"))
	for _, page := range []string{"amorsize.1", "amorsize-run.1", "amorsize-history-diff.1"} {
		require.Contains(t, read(t, "a/b/"+page), `"1" "Jan 1970" "amorsize `+version()+`" "Amorsize"`)
		require.NotContains(t, read(t, "a/b/"+page), "Auto generated")
	}
	write(t, "file", "")
	got = typed(t, "", "man", "--dir", "file/d")
	require.Equal(t, 2, got.status)
	require.Contains(t, got.err, "amorsize: --dir: ")
}

// A command that can't write what it shows does not end well.
func TestOutputThatCannotBeWritten(t *testing.T) {
	home(t)
	out, errs := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = out, errs }()
	closed, err := os.Create("closed")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	os.Stdout, os.Stderr = closed, closed
	lines := []string{"version", "man", "doctor", "report -o - --tune table", "history show -1"}
	if runtime.GOOS != "windows" {
		lines = append(lines, "run --range 1 -- echo", "profile --budget 1ms --range 1 -- true", "watch --budget 1ms --count 1 --range 1 -- true",
			"tune --budget 1ms --range 1 -- true")
	}
	write(t, "table", `{"cmd":"tune","target":"f","rows":[{"workers":1,"rate_per_s":5}]}`)
	require.NoError(t, history.Save("run", "x", map[string]any{}))
	for _, line := range lines {
		require.Equal(t, 2, Main(strings.Fields(line)), line)
	}
}

// A command that adds flags by group has its own usage.
func TestUsageOfGroups(t *testing.T) {
	var b bytes.Buffer
	c := &cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}
	g := newGroup("Some")
	g.set.Bool("z", false, "the first")
	g.set.Bool("a", false, "the second")
	addMixed(c, g)
	c.SetOut(&b)
	c.SetErr(&b)
	require.NoError(t, c.Usage())
	require.Equal(t, "Usage:\n  x [flags]\n\nSome:\n      --z   the first\n      --a   the second\n", b.String())
}
