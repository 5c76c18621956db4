//go:build unix

package command_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// around is what a runner is given here: no timeout, and a run that must not be stopped.
func around(t *testing.T) command.Surroundings {
	return command.Surroundings{
		Groups: new(process.Groups), Grace: 10 * time.Millisecond, Timeout: func() time.Duration { return 0 },
		Stop: func(err error) { t.Errorf("stopped: %v", err) },
	}
}

func runner(t *testing.T, cfg command.Config, in command.Surroundings) *command.Runner {
	t.Helper()
	spec, err := command.Parse(cfg, template.Scope{})
	require.NoError(t, err)
	r, err := command.New(spec, in)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func job(n int, texts ...string) *jobs.Job {
	j := &jobs.Job{Tries: 1}
	for i, text := range texts {
		j.Batch = append(j.Batch, items.Of(n+i, text))
	}
	return j
}

func text(t *testing.T, c process.Capture) string {
	t.Helper()
	raw, err := io.ReadAll(c.Reader())
	require.NoError(t, err)
	return string(raw)
}

// attempt runs a job once, and returns what it wrote.
func attempt(t *testing.T, r *command.Runner, j *jobs.Job, slot int) (out, errs string, err error) {
	t.Helper()
	err = r.Attempt(t.Context(), j, slot)
	out, errs = text(t, j.Out), text(t, j.Outcome.Err)
	j.Release()
	return out, errs, err
}

func TestAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  command.Config
		job  *jobs.Job
		want string
	}{
		"an argument":       {command.Config{Argv: []string{"printf", "<%s>"}}, job(1, "a b"), "<a b>"},
		"a batch":           {command.Config{Argv: []string{"printf", "<%s>"}}, job(1, "a", "b"), "<a><b>"},
		"standard input":    {command.Config{Argv: []string{"cat"}, Stdin: true}, job(1, "a", "b"), "a\nb\n"},
		"a block, as it is": {command.Config{Argv: []string{"cat"}, Stdin: true, Pipe: true}, job(1, "a\nb"), "a\nb"},
		"a script":          {command.Config{Script: `echo "$#: $1"`}, job(1, "a;b", "c"), "2: a;b\n"},
		"both streams":      {command.Config{Script: `echo out; echo err >&2`, Merge: true}, job(1, "a"), "out\nerr\n"},
		"nothing kept":      {command.Config{Script: `echo out`, Mode: process.None}, job(1, "a"), ""},
		"the environment":   {command.Config{Script: `echo $AMORSIZE_ITEM_NO $AMORSIZE_SLOT $AMORSIZE_ATTEMPT/$AMORSIZE_ATTEMPTS $MINE`, Env: []string{"MINE=x"}, Retries: 2}, job(7, "a"), "7 3 1/3 x\n"},
		"a priority":        {command.Config{Argv: []string{"nice"}, Stdin: true, Nice: 5}, job(1, "a"), "5\n"},
		"the least":         {command.Config{Argv: []string{"nice"}, Stdin: true, Nice: 1}, job(1, "a"), "1\n"},
		"whatever its PATH": {command.Config{Argv: []string{"nice"}, Stdin: true, Nice: 5, Env: []string{"PATH=/none"}}, job(1, "a"), "5\n"},
		"a priority of {}":  {command.Config{Argv: []string{"{}"}, Stdin: true, Nice: 5}, job(1, "nice"), "5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := attempt(t, runner(t, c.cfg, around(t)), c.job, 3)
			require.NoError(t, err)
			if c.cfg.Nice > 0 {
				was, _, err := attempt(t, runner(t, command.Config{Argv: []string{"nice"}, Stdin: true}, around(t)), job(1, ""), 0)
				require.NoError(t, err)
				c.want = plus(t, was, c.cfg.Nice)
			}
			require.Equal(t, c.want, out)
		})
	}
}

// A variable has one value, whichever of several a program would take: the one that was set last for the command, and
// not that of a run around this one.
func TestEnvironmentHasNoTwoValues(t *testing.T) {
	t.Setenv("MINE", "ours")
	names := []string{"AMORSIZE_ATTEMPT", "AMORSIZE_ATTEMPTS", "AMORSIZE_ITEM_NO", "AMORSIZE_SLOT", "MINE"}
	for _, name := range names[:4] {
		t.Setenv(name, "99")
	}
	set := []string{"MINE=x", "MINE=y", "AMORSIZE_SLOT=88"}
	out, _, err := attempt(t, runner(t, command.Config{Argv: []string{"env"}, Stdin: true, Env: set}, around(t)), job(7, "a"), 3)
	require.NoError(t, err)
	var got []string
	for line := range strings.Lines(out) {
		if name, value, _ := strings.Cut(line, "="); slices.Contains(names, name) {
			got = append(got, name+"="+value)
		}
	}
	slices.Sort(got)
	require.Equal(t, []string{"AMORSIZE_ATTEMPT=1\n", "AMORSIZE_ATTEMPTS=1\n", "AMORSIZE_ITEM_NO=7\n", "AMORSIZE_SLOT=3\n", "MINE=y\n"}, got)

	out, _, err = attempt(t, runner(t, worker(`echo "$AMORSIZE_ITEM_NO $AMORSIZE_SLOT"`), around(t)), job(7, "a"), 3)
	require.NoError(t, err)
	require.Equal(t, "99 99\n", out, "a process that is kept for many jobs has no values of its own")
}

// plus is the priority of a process that is nicer by n.
func plus(t *testing.T, was string, n int) string {
	t.Helper()
	nice, err := strconv.Atoi(strings.TrimSpace(was))
	require.NoError(t, err)
	return strconv.Itoa(min(19, nice+n)) + "\n"
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "here"), []byte("found"), 0o600))
	out, _, err := attempt(t, runner(t, command.Config{Argv: []string{"cat"}, Dir: dir}, around(t)), job(1, "here"), 0)
	require.NoError(t, err)
	require.Equal(t, "found", out)
}

func TestFailures(t *testing.T) {
	r := runner(t, command.Config{Script: `echo partial; echo why >&2; exit 7`}, around(t))
	out, errs, err := attempt(t, r, job(1, "a"), 0)
	var status *process.ExitError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 7, status.Code)
	require.Equal(t, []string{"partial\n", "why\n"}, []string{out, errs})

	_, _, err = attempt(t, runner(t, command.Config{Argv: []string{"{}"}}, around(t)), job(1, "no-such-program-1"), 0)
	var spawn *process.SpawnError
	require.ErrorAs(t, err, &spawn)

	in := around(t)
	in.Timeout = func() time.Duration { return time.Millisecond }
	_, _, err = attempt(t, runner(t, command.Config{Argv: []string{"sleep", "1000"}, Stdin: true}, in), job(1, "a"), 0)
	var late *process.TimeoutError
	require.ErrorAs(t, err, &late)

	in = around(t)
	in.Groups.Raise(process.Asked)
	_, _, err = attempt(t, runner(t, command.Config{Argv: []string{"sleep", "1000"}, Stdin: true}, in), job(1, "a"), 0)
	require.ErrorAs(t, err, &status)
	require.Equal(t, "terminated", status.Signal, "what starts while all are to end is ended")
}

// Lines are passed on while a command runs, and what says where they go may fail.
func TestLines(t *testing.T) {
	in := around(t)
	var got []string
	in.Lines = func(j *jobs.Job, slot int) (func([]byte, bool), error) {
		return func(line []byte, stderr bool) {
			if !stderr {
				got = append(got, j.First().Text+strconv.Itoa(slot)+string(line))
			}
		}, nil
	}
	r := runner(t, command.Config{Script: `echo 1; echo 2`, Mode: process.Line}, in)
	out, _, err := attempt(t, r, job(1, "a"), 4)
	require.NoError(t, err)
	require.Empty(t, out)
	require.Equal(t, []string{"a41\n", "a42\n"}, got)

	in.Lines = func(*jobs.Job, int) (func([]byte, bool), error) { return nil, context.Canceled }
	_, _, err = attempt(t, runner(t, command.Config{Script: `echo 1`, Mode: process.Line}, in), job(1, "a"), 0)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTraits(t *testing.T) {
	traits := runner(t, command.Config{Argv: []string{"printf", "{}{}"}}, around(t)).Traits()
	require.Equal(t, 4+1+8, traits.Weigh(items.Of(1, "ab")), "the text twice, a NUL and a pointer")
	require.Positive(t, traits.Most)
	require.False(t, traits.Within)
	require.Empty(t, traits.Extra)
	if runtime.GOOS == "linux" {
		require.Positive(t, traits.Caps.Files)
		require.Greater(t, traits.Caps.Fixed, traits.Caps.Files, "a given number needs no files for results that wait")
	}
	var seen policies.Seen
	j := job(1, "a")
	j.Out, j.Outcome.Err = process.Bytes([]byte("out")), process.Bytes([]byte("err"))
	traits.Seen(j, &seen)
	require.Equal(t, "out err", string(seen.Out())+" "+string(seen.Stderr()))

	traits = runner(t, command.Config{Argv: []string{"cat"}, Stdin: true, Pipe: true, Block: 32 << 20, MaxLoad: 3}, around(t)).Traits()
	require.Nil(t, traits.Weigh, "what is read has no bound")
	require.Equal(t, 2, traits.Caps.Works)
	require.Len(t, traits.Extra, 1)

	traits = runner(t, command.Config{Argv: []string{"cat"}, Stdin: true, Pipe: true, Block: 128 << 20}, around(t)).Traits()
	require.Equal(t, 1, traits.Caps.Works, "one block, however large")

	traits = runner(t, command.Config{Argv: []string{"cat"}, Mode: process.Line, InOrder: true}, around(t)).Traits()
	require.Equal(t, traits.Caps.Files, traits.Caps.Fixed)

	script := runner(t, command.Config{Script: "x"}, around(t)).Traits()
	columns := items.Of(1, "a b")
	columns.Fields = []string{"a", "b"}
	require.Equal(t, 2*(1+9), script.Weigh(columns))
	require.Equal(t, 3+9, script.Weigh(items.Of(1, "abc")))
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
}

// await waits for a file that a command makes.
func await(t *testing.T, dir, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}, time.Minute, time.Millisecond)
}
