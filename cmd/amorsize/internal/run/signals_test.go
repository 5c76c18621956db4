//go:build unix

package run

import (
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
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

// SIGQUIT tells what runs, and ends nothing.
func TestList(t *testing.T) {
	b := newBench(t, "a")
	env, _ := b.open()
	ended := env.Groups.Adopt(1<<22+7, "the item with a token=secret")
	defer ended()
	signals, quit := make(chan os.Signal), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&escalation{env: env}).handle(signals, quit)
	}()
	signals <- syscall.SIGQUIT
	close(quit)
	<-done
	require.Regexp(t, `^  slot \d+  pid 4194311  .*  the item with a token=\*\*\*\n$`, b.read("stderr"))
	require.NoError(t, env.Control.Stopped())
}

// What runs is asked to end, and then killed.
func TestStepsEndProcesses(t *testing.T) {
	for step, want := range map[int]string{2: "signal: terminated", 3: "signal: killed"} {
		e, _ := ending(t)
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, child.Start())
		ended := e.env.Groups.Adopt(child.Process.Pid, "a")
		e.take(step)
		require.EqualError(t, child.Wait(), want)
		ended()
	}
}

// Where nobody reads results any more, what runs is asked to end; where they can't be written,
// it goes on to its end.
func TestOutputError(t *testing.T) {
	e, _ := ending(t)
	child := exec.Command("sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, child.Start())
	ended := e.env.Groups.Adopt(child.Process.Pid, "a")
	full := e.env.outputError(syscall.ENOSPC)
	require.ErrorIs(t, full, jobs.ErrOutput)
	require.ErrorIs(t, full, syscall.ENOSPC)
	require.NoError(t, child.Process.Signal(syscall.Signal(0)), "it runs")
	require.Equal(t, jobs.ErrPipe, e.env.outputError(&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}))
	require.EqualError(t, child.Wait(), "signal: terminated")
	ended()
}
