//go:build unix

package process_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func spawner(t *testing.T, cfg process.Config) (*process.Spawner, *process.Groups) {
	t.Helper()
	groups := new(process.Groups)
	cfg.Groups = groups
	if cfg.Grace == 0 {
		cfg.Grace = time.Second
	}
	s, err := process.NewSpawner(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	t.Cleanup(func() { groups.Raise(process.Killed) }) // what a test that fails has left
	return s, groups
}

func sh(script string) process.Command {
	return process.Command{Path: "/bin/sh", Argv: []string{"sh", "-c", script}}
}

func text(t *testing.T, c process.Capture) string {
	t.Helper()
	raw, err := io.ReadAll(c.Reader())
	require.NoError(t, err)
	return string(raw)
}

// TestOutcomes: whatever a command does, the next one in the same files sees none
// of it, and no group is left.
func TestOutcomes(t *testing.T) {
	s, groups := spawner(t, process.Config{})
	for range 3 {
		for _, c := range []struct {
			command  process.Command
			out, err string
			check    func(error)
		}{
			{sh("echo out; echo err >&2"), "out\n", "err\n", func(err error) { require.NoError(t, err) }},
			{sh("echo much; exit 3"), "much\n", "", func(err error) {
				var e *process.ExitError
				require.ErrorAs(t, err, &e)
				require.Equal(t, 3, e.Code)
			}},
			{sh("kill -9 $$"), "", "", func(err error) { require.ErrorContains(t, err, "signal: killed") }},
			{sh("head -c 100000 /dev/zero"), strings.Repeat("\x00", 100_000), "", func(err error) { require.NoError(t, err) }},
			{process.Command{Argv: []string{"no-such-program"}}, "", "", func(err error) {
				var e *process.SpawnError
				require.ErrorAs(t, err, &e)
			}},
			{process.Command{Path: "/no/such/program", Argv: []string{"x"}}, "", "", func(err error) {
				require.ErrorIs(t, err, process.ErrCommand)
				require.EqualError(t, err, "can't start x: no such file or directory")
			}},
			{process.Command{Path: "/bin/cat", Argv: []string{"cat"}, Feed: true, Stdin: []byte("fed")}, "fed", "", func(err error) { require.NoError(t, err) }},
			{process.Command{Path: "/bin/cat", Argv: []string{"cat"}}, "", "", func(err error) { require.NoError(t, err) }},
			{process.Command{Path: "/bin/sh", Argv: []string{"sh", "-c", "sleep 100 & wait"}, Timeout: 30 * time.Millisecond}, "", "", func(err error) {
				var e *process.TimeoutError
				require.ErrorAs(t, err, &e)
				require.True(t, e.Timeout())
			}},
		} {
			o, err := s.Run(c.command)
			c.check(err)
			require.Equal(t, c.out, text(t, o.Out))
			require.Equal(t, c.err, text(t, o.Err))
			o.Out.Release()
			o.Err.Release()
			require.Empty(t, groups.List())
		}
	}
}

// TestUsage: what a command cost is its own and that of those it waited for.
func TestUsage(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	for _, script := range []string{
		`sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'`,          // its own time
		`dd if=/dev/zero of=/dev/null bs=1024k count=500 2>/dev/null; true`, // the kernel's
	} {
		o, err := s.Run(sh(script))
		require.NoError(t, err)
		require.Positive(t, o.CPU)
		require.Positive(t, o.Wall)
	}
}

// TestOrphanKeepsItsFile: what a process writes that a command has left behind is
// in nobody else's output.
func TestOrphanKeepsItsFile(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	o, err := s.Run(sh("(while [ ! -e /nonexistent ]; do echo late; sleep 0.01; done) & echo $!"))
	require.NoError(t, err)
	pid := strings.Fields(strings.ReplaceAll(text(t, o.Out), "late", ""))[0]
	o.Out.Release()
	for range 20 {
		next, err := s.Run(sh("sleep 0.01; echo mine"))
		require.NoError(t, err)
		require.Equal(t, "mine\n", text(t, next.Out))
		next.Out.Release()
	}
	o, err = s.Run(sh("kill -9 " + pid))
	require.NoError(t, err)
	o.Out.Release()
}

func TestLines(t *testing.T) {
	var mu sync.Mutex
	var out, errs bytes.Buffer
	s, _ := spawner(t, process.Config{Mode: process.Line})
	c := sh("echo a; echo e >&2; printf b")
	c.Line = func(line []byte, stderr bool) {
		mu.Lock()
		defer mu.Unlock()
		if stderr {
			errs.Write(line)
		} else {
			out.Write(line)
		}
	}
	for range 20 {
		_, err := s.Run(c)
		require.NoError(t, err)
	}
	require.Equal(t, strings.Repeat("a\nb", 20), out.String())
	require.Equal(t, strings.Repeat("e\n", 20), errs.String())
}

// TestSendTo: large captures arrive whole, in files, pipes, and files that are
// appended to.
func TestSendTo(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	o, err := s.Run(sh("yes 0123456789 | head -c 3000000"))
	require.NoError(t, err)
	defer o.Out.Release()
	want := text(t, o.Out)
	require.Len(t, want, 3_000_000)
	require.Equal(t, want[len(want)-5:], string(o.Out.Tail(5)))
	for _, flags := range []int{os.O_RDWR, os.O_RDWR | os.O_APPEND} {
		f, err := os.OpenFile(t.TempDir()+"/out", flags|os.O_CREATE, 0o600)
		require.NoError(t, err)
		require.NoError(t, o.Out.SendTo(f))
		got, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.True(t, want == string(got))
		require.NoError(t, f.Close())
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { sent <- o.Out.SendTo(w); _ = w.Close() }()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.NoError(t, r.Close())
	require.True(t, want == string(got))
}

// TestRaise ends what runs, and what is started later.
func TestRaise(t *testing.T) {
	s, groups := spawner(t, process.Config{Grace: 50 * time.Millisecond})
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(sh(`trap "" TERM; while :; do sleep 0.01; done`))
		ended <- err
	}()
	require.Eventually(t, func() bool { return len(groups.List()) == 1 }, 10*time.Second, time.Millisecond)
	groups.Raise(process.Killed)
	require.ErrorContains(t, <-ended, "signal: killed")
	_, err := s.Run(sh("sleep 100"))
	require.ErrorContains(t, err, "signal: killed")
}

// TestKilledInTheEnd: what takes too long, and does not heed that it is asked to end, is
// killed.
func TestKilledInTheEnd(t *testing.T) {
	s, groups := spawner(t, process.Config{Grace: 10 * time.Millisecond})
	c := sh(`trap "" TERM; while :; do sleep 0.01; done`)
	c.Timeout = 100 * time.Millisecond
	_, err := s.Run(c)
	var e *process.TimeoutError
	require.ErrorAs(t, err, &e)
	require.Equal(t, c.Timeout, e.After)
	require.Empty(t, groups.List())
}

// TestOrphanLivesOn: what a command leaves behind that has ended by itself is not touched.
func TestOrphanLivesOn(t *testing.T) {
	s, _ := spawner(t, process.Config{Dir: t.TempDir(), Grace: time.Millisecond})
	_, err := s.Run(sh("mkfifo wake; (read x <wake; echo $x >said; mv said done) >/dev/null 2>&1 &"))
	require.NoError(t, err)
	for _, script := range []string{"echo awake >wake", "while [ ! -e done ]; do sleep 0.01; done; grep -q awake done"} {
		c := sh(script)
		c.Timeout = time.Minute // which it would take if nobody were there
		_, err = s.Run(c)
		require.NoError(t, err)
	}
}

// TestMerge: what a command writes to either is in one, in its order.
func TestMerge(t *testing.T) {
	c := sh("echo a; echo b >&2; echo c")
	s, _ := spawner(t, process.Config{Merge: true})
	o, err := s.Run(c)
	require.NoError(t, err)
	require.Equal(t, "a\nb\nc\n", text(t, o.Out))
	require.Zero(t, o.Err.Size())
	o.Out.Release()

	var lines bytes.Buffer
	c.Line = func(line []byte, stderr bool) {
		require.False(t, stderr)
		lines.Write(line)
	}
	s, _ = spawner(t, process.Config{Mode: process.Line, Merge: true})
	_, err = s.Run(c)
	require.NoError(t, err)
	require.Equal(t, "a\nb\nc\n", lines.String())
}

// TestEnvironment: a command has ours, or the spawner's, and its own besides.
func TestEnvironment(t *testing.T) {
	t.Setenv("OURS", "ours")
	for want, env := range map[string][]string{"ours  own\n": nil, " theirs own\n": {"THEIRS=theirs"}} {
		s, _ := spawner(t, process.Config{Env: env})
		c := sh(`echo "$OURS $THEIRS $OWN"`)
		c.Env = []string{"OWN=own"}
		o, err := s.Run(c)
		require.NoError(t, err)
		require.Equal(t, want, text(t, o.Out))
		o.Out.Release()
	}
}
