//go:build unix

package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

// steps are what an escalation has said, and how often it has killed.
type steps struct {
	mu    sync.Mutex
	said  []string
	kills int
}

func (s *steps) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kills++
}

func (s *steps) say(note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, note)
}

// so returns them, as of now.
func (s *steps) so() (said []string, kills int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said), s.kills
}

// ending is an escalation, and the steps that it takes.
func ending(t *testing.T) (e *escalation, taken *steps) {
	t.Helper()
	env, _ := newBench(t, "a").open()
	taken = new(steps)
	return &escalation{env, 10 * time.Second, taken.kill, taken.say}, taken
}

// sleeper starts a process group that runs for longer than any test, but not for ever.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	child := exec.Command("sleep", "30")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill() })
	return child
}

// An interrupt lets what runs end, the next one asks it to, a third one kills it.
func TestInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, taken := ending(t)
		e.env.State.Running.Store(3)
		signals, quit := make(chan os.Signal), make(chan struct{})
		go e.handle(signals, quit)
		for i, want := range []string{"draining: 3 running, no more are started; Ctrl-C again terminates them", "terminating 3; Ctrl-C again kills them", "killing 3"} {
			signals <- os.Interrupt
			synctest.Wait()
			require.ErrorIs(t, e.env.Control.Stopped(), jobs.ErrInterrupted)
			said, kills := taken.so()
			require.Len(t, said, i+1)
			require.Equal(t, want, said[i])
			require.Equal(t, min(i, 1), kills)
			time.Sleep(time.Minute)
			synctest.Wait()
			said, _ = taken.so()
			require.Len(t, said, i+1, "a person decides when to go on")
		}
		close(quit)
	})
}

// A termination takes the same steps by itself.
func TestTermination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, taken := ending(t)
		signals, quit := make(chan os.Signal), make(chan struct{})
		go e.handle(signals, quit)
		signals <- syscall.SIGTERM
		synctest.Wait()
		require.ErrorIs(t, e.env.Control.Stopped(), jobs.ErrTerminated)
		said, _ := taken.so()
		require.Len(t, said, 1)
		require.Contains(t, said[0], "draining", "what runs may end first")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		said, kills := taken.so()
		require.Len(t, said, 2)
		require.Equal(t, 1, kills)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		said, _ = taken.so()
		require.Len(t, said, 3)
		close(quit)
	})
}

// Signals are handled from the call until the end, and then no more.
func TestHandleSignals(t *testing.T) {
	b := newBench(t, "a")
	env, _ := b.open()
	noted := make(chan string, 1)
	stop := env.HandleSignals(time.Minute, func() {}, func(note string) { noted <- note })
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
	require.Contains(t, <-noted, "draining: 0 running")
	stop()
	require.ErrorIs(t, env.Control.Stopped(), jobs.ErrInterrupted)
}

// Who ends the handling of signals waits for the step that is being taken: nothing is told afterwards.
func TestEndWaitsForTheStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := ending(t)
		said, ended := make(chan bool), make(chan bool)
		e.say = func(string) { <-said }
		signals := make(chan os.Signal)
		end := e.begin(signals)
		signals <- os.Interrupt
		go func() { end(); close(ended) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the step is still being taken")
		default:
		}
		close(said)
		<-ended
	})
}

// When a run is over, a signal does again what it usually does, for instance ends this program.
func TestSignalsAfterTheRun(t *testing.T) {
	const variable = "AMORSIZE_TEST_AFTER_THE_RUN"
	if os.Getenv(variable) != "" {
		env, _ := newBench(t, "a").open()
		env.HandleSignals(time.Minute, func() {}, func(string) {})()
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the signal comes
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it would wait for ever
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSignalsAfterTheRun$")
	child.Env = append(os.Environ(), variable+"=1")
	_, err := child.StdinPipe()
	require.NoError(t, err)
	require.EqualError(t, child.Run(), "signal: terminated")
}

// SIGQUIT tells what runs, and ends nothing.
func TestList(t *testing.T) {
	b := newBench(t, "a")
	env, _ := b.open()
	ended := env.Groups.Adopt(1<<22+7, "the item with a token=secret "+strings.Repeat("x", 60))
	defer ended()
	signals := make(chan os.Signal)
	end := (&escalation{env: env}).begin(signals)
	signals <- syscall.SIGQUIT
	end()
	require.Regexp(t, `^  slot \d+  pid 4194311  .*  the item with a token=\*\*\* x{33}…\n$`, b.read("stderr"))
	require.NoError(t, env.Control.Stopped())
}

// What runs is asked to end, and then killed.
func TestStepsEndProcesses(t *testing.T) {
	for step, want := range map[int]string{2: "signal: terminated", 3: "signal: killed"} {
		e, _ := ending(t)
		child := sleeper(t)
		ended := e.env.Groups.Adopt(child.Process.Pid, "a")
		e.take(step)
		require.EqualError(t, child.Wait(), want)
		ended()
	}
}

// --halt-now asks what runs to end.
func TestHaltNowEndsProcesses(t *testing.T) {
	b := newBench(t, "a")
	b.cfg.Ends = Ends{Halt: policies.Halt{Count: 1}, HaltText: "1", HaltNow: true}
	child := sleeper(t)
	status, _ := b.run(newRunner(func(context.Context, *jobs.Job) error {
		b.env.Groups.Adopt(child.Process.Pid, "another")
		return errors.New("bad")
	}))
	require.Equal(t, exit.Halted, status)
	require.EqualError(t, child.Wait(), "signal: terminated")
}

// If we are killed, the guard kills what runs. Where there can be none, runs do without.
func TestStartGuard(t *testing.T) {
	env, _ := newBench(t, "a").open()
	guard := env.StartGuard()
	require.NotNil(t, guard)
	child := sleeper(t)
	env.Groups.Adopt(child.Process.Pid, "a")
	guard.Close() // the same as our end
	require.EqualError(t, child.Wait(), "signal: killed")

	t.Setenv("TMPDIR", "/no/such/directory")
	none := env.StartGuard()
	require.Nil(t, none)
	none.Close()
}

// Where nobody reads results any more, what runs is asked to end; where they can't be written,
// it goes on to its end.
func TestOutputError(t *testing.T) {
	e, _ := ending(t)
	child := sleeper(t)
	ended := e.env.Groups.Adopt(child.Process.Pid, "a")
	full := e.env.outputError(syscall.ENOSPC)
	require.ErrorIs(t, full, jobs.ErrOutput)
	require.ErrorIs(t, full, syscall.ENOSPC)
	require.NoError(t, child.Process.Signal(syscall.Signal(0)), "it runs")
	require.Equal(t, jobs.ErrPipe, e.env.outputError(&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}))
	require.EqualError(t, child.Wait(), "signal: terminated")
	ended()
}
