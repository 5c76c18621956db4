package process_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// TestMemoryIsTheChilds: however large this process is, a small command is small,
// and a large one is large.
func TestMemoryIsTheChilds(t *testing.T) {
	ours := make([]byte, 64<<20)
	for i := 0; i < len(ours); i += 4096 {
		ours[i] = 1
	}
	s, _ := spawner(t, process.Config{})
	o, err := s.Run(sh("sleep 0.1"))
	require.NoError(t, err)
	require.Positive(t, o.Memory)
	require.Less(t, o.Memory, int64(20<<20))
	o, err = s.Run(sh("exec head -c 1 /dev/null"))
	require.NoError(t, err)
	require.Less(t, o.Memory, int64(20<<20))
	// It has its memory for most of its life, and is looked at again within the last half. On a
	// busy machine it may take it bit by bit: a third of it is more than we have.
	o, err = s.Run(sh("exec dd if=/dev/zero of=/dev/null bs=400M count=8 2>/dev/null"))
	require.NoError(t, err)
	require.Greater(t, o.Memory, int64(130<<20))
	runtime.KeepAlive(ours)
}

// smallSize is how much room a smallDisk has.
const smallSize = 1 << 20

// smallDisk returns a directory with little room.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", smallSize)); err != nil {
		t.Skip("no file system can be mounted here:", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// TestFullDisk: output that can't be kept whole fails its command, also if the
// command does not say so itself.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	t.Setenv("TMPDIR", dir)
	s, _ := spawner(t, process.Config{})
	o, err := s.Run(sh("head -c 3000000 /dev/zero 2>/dev/null; true"))
	var failure *process.OutputError
	require.ErrorAs(t, err, &failure)
	require.ErrorIs(t, err, process.ErrCommand)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, dir)
	require.Equal(t, 1, strings.Count(err.Error(), "can't be kept"), "it is said once")
	require.True(t, process.Own(err))
	o.Out.Release()
	o.Err.Release()

	o, err = s.Run(sh("echo fine")) // there is room again
	require.NoError(t, err)
	require.Equal(t, "fine\n", text(t, o.Out))
	o.Out.Release()

	fill := filepath.Join(dir, "fill")
	require.Error(t, os.WriteFile(fill, make([]byte, 2<<20), 0o600))
	o, err = s.Run(sh("echo lost; true")) // nothing is written at all
	require.ErrorAs(t, err, &failure)
	o.Out.Release()
	require.NoError(t, os.Remove(fill))
	o, err = s.Run(sh("echo fine"))
	require.NoError(t, err)
	o.Out.Release()
}

// TestFewFiles: a command that can't be started for want of files waits for those
// that run.
func TestFewFiles(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	held, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = uint64(len(held) + 12)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	results := make(chan error, 30)
	for slot := range cap(results) {
		go func() {
			c := sh("sleep 0.02; echo $0")
			c.Slot = slot
			o, err := s.Run(c)
			if err == nil && strings.TrimSpace(string(o.Out.Tail(10))) != "sh" {
				err = fmt.Errorf("output %q", o.Out.Tail(10))
			}
			o.Out.Release()
			o.Err.Release()
			results <- err
		}()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
}

// TestFilesThatAreKept to be used again make room where there is none.
func TestFilesThatAreKept(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	var outcomes []process.Outcome
	for range 6 {
		o, err := s.Run(sh("head -c 10000 /dev/zero; head -c 10000 /dev/zero >&2"))
		require.NoError(t, err)
		outcomes = append(outcomes, o)
	}
	for _, o := range outcomes {
		o.Out.Release()
		o.Err.Release()
	}
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = uint64(openFiles(t))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	o, err := s.Run(sh("echo fine"))
	require.NoError(t, err)
	require.Equal(t, "fine\n", text(t, o.Out))
	o.Out.Release()
}

// openFiles counts those of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	r, w, err := os.Pipe() // the first one has the runtime open what it waits by
	require.NoError(t, err)
	require.NoError(t, errors.Join(r.Close(), w.Close()))
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// TestNoFileIsLeft: nothing of what was opened for a command stays open, also where it
// can't be started.
func TestNoFileIsLeft(t *testing.T) {
	for _, cfg := range []process.Config{
		{Mode: process.Group}, {Mode: process.Group, Merge: true},
		{Mode: process.Line}, {Mode: process.Line, Merge: true}, {Mode: process.None},
	} {
		s, _ := spawner(t, cfg)
		before := openFiles(t)
		for range 5 {
			_, err := s.Run(process.Command{Path: "/no/such/program", Argv: []string{"x"}, Feed: true, Stdin: []byte("x")})
			require.ErrorAs(t, err, new(*process.SpawnError))
			_, err = s.Start(process.Command{Path: "/no/such/program", Argv: []string{"x"}})
			require.ErrorAs(t, err, new(*process.SpawnError))
		}
		c := sh("echo a; echo b >&2")
		c.Line = func([]byte, bool) {}
		for range 5 {
			o, err := s.Run(c)
			require.NoError(t, err)
			o.Out.Release()
			o.Err.Release()
		}
		require.LessOrEqual(t, openFiles(t), before+3, "what is used again")
	}
}

// TestFullDiskOfInput: input for which there is no room is the command's failure, and the
// file of it is not left.
func TestFullDiskOfInput(t *testing.T) {
	t.Setenv("TMPDIR", smallDisk(t))
	s, _ := spawner(t, process.Config{})
	before := openFiles(t)
	for range 3 {
		_, err := s.Run(process.Command{Path: "/bin/cat", Argv: []string{"cat"}, Feed: true, Stdin: make([]byte, 3<<20)})
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	require.LessOrEqual(t, openFiles(t), before)
	o, err := s.Run(process.Command{Path: "/bin/cat", Argv: []string{"cat"}, Feed: true, Stdin: []byte("fits")})
	require.NoError(t, err)
	require.Equal(t, "fits", text(t, o.Out))
	o.Out.Release()
	o.Err.Release()
}

// TestFullDiskOfWhatIsKept: what there is no room for is an error of keeping it, and its
// file is not left.
func TestFullDiskOfWhatIsKept(t *testing.T) {
	t.Setenv("TMPDIR", smallDisk(t))
	var files process.Files
	before := openFiles(t)
	var failure *process.OutputError
	_, err := files.Keep(strings.NewReader(strings.Repeat("x", 3<<20)))
	require.ErrorAs(t, err, &failure)
	require.ErrorIs(t, err, syscall.ENOSPC)
	h := process.Hold{Files: &files}
	for err = nil; err == nil; {
		_, err = h.Write(make([]byte, 100<<10))
	}
	require.ErrorAs(t, err, &failure)
	c, err := h.Take()
	require.NoError(t, err)
	c.Release()
	c, err = files.Keep(strings.NewReader(strings.Repeat("x", 500<<10))) // there is room again
	require.NoError(t, err)
	require.Equal(t, int64(500<<10), c.Size())
	c.Release()
	files.Close()
	require.LessOrEqual(t, openFiles(t), before) // a collection may close what others have left
}

// TestSuspend: what is stopped does nothing until it may go on.
func TestSuspend(t *testing.T) {
	s, groups := spawner(t, process.Config{})
	p, err := s.Start(process.Command{Argv: []string{"cat"}})
	require.NoError(t, err)
	state := func() string {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", groups.List()[0].Pid))
		require.NoError(t, err)
		return strings.Fields(string(raw))[2]
	}
	groups.Suspend(true)
	require.Eventually(t, func() bool { return state() == "T" }, time.Minute, time.Millisecond)
	_, err = p.Questions.WriteString("x\n")
	require.NoError(t, err)
	require.Equal(t, 2, p.Unanswered())
	require.Zero(t, p.Unread())
	groups.Suspend(false)
	answer := make([]byte, 2)
	_, err = io.ReadFull(p.Answers, answer)
	require.NoError(t, err)
	require.Equal(t, "x\n", string(answer))
	require.NoError(t, p.End())
}

// TestGuardLeavesNoFile: nothing of a guard stays open.
func TestGuardLeavesNoFile(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	before := openFiles(t)
	for range 2 {
		guard, err := process.StartGuard(self)
		require.NoError(t, err)
		guard.Close()
	}
	require.LessOrEqual(t, openFiles(t), before)
}

// TestBusy: a partner is on a core or not.
func TestBusy(t *testing.T) {
	s, groups := spawner(t, process.Config{})
	for script, busy := range map[string]bool{"while :; do :; done": true, "read x": false} {
		p, err := s.Start(sh(script))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return p.Busy() == busy }, time.Minute, time.Millisecond)
		require.NoError(t, syscall.Kill(-groups.List()[0].Pid, syscall.SIGKILL))
		require.Error(t, p.End())
	}
}

// TestAskedFirst: what takes too long is asked to end before it is killed.
func TestAskedFirst(t *testing.T) {
	s, _ := spawner(t, process.Config{Grace: time.Minute})
	c := sh(`trap "echo asked; exit 3" TERM; while :; do sleep 0.01; done`)
	c.Timeout = time.Second
	o, err := s.Run(c)
	require.ErrorAs(t, err, new(*process.TimeoutError))
	require.Equal(t, "asked\n", text(t, o.Out))
	o, err = s.Run(process.Command{Argv: []string{"echo", "found"}})
	require.NoError(t, err)
	require.Equal(t, "found\n", text(t, o.Out))
}

// largestFile returns the largest number of a file of this process.
func largestFile(t *testing.T) (largest int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		if _, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // it was not of the list itself
			largest = max(largest, n)
		}
	}
	return largest
}

// noFiles has no more files be opened, but for those that are free below the largest one.
func noFiles(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = uint64(largestFile(t) + 1)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	t.Cleanup(func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) })
}

// fillFiles takes those that are free.
func fillFiles(t *testing.T) {
	t.Helper()
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			require.ErrorIs(t, err, syscall.EMFILE)
			return
		}
		t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	}
}

// TestNoFiles: a command for which there are no files is waited for as long as others run
// that may give some back, and about a second else.
func TestNoFiles(t *testing.T) {
	s, groups := spawner(t, process.Config{})
	noFiles(t)
	fillFiles(t)
	run := func() time.Duration {
		began := time.Now()
		endless := time.AfterFunc(2*time.Minute, func() { groups.Raise(process.Asked) })
		defer endless.Stop()
		_, err := s.Run(sh("echo fine"))
		require.ErrorAs(t, err, new(*process.SpawnError))
		require.ErrorIs(t, err, syscall.EMFILE)
		require.True(t, process.Own(err))
		return time.Since(began)
	}
	synctest.Test(t, func(t *testing.T) {
		took := run()
		require.Greater(t, took, 300*time.Millisecond)
		require.Less(t, took, 2*time.Second)
		ended := groups.Adopt(1<<30, "another")
		const others = 61 * time.Second
		time.AfterFunc(others, ended)
		took = run()
		require.GreaterOrEqual(t, took, others)
		require.LessOrEqual(t, took, others+100*time.Millisecond)
		defer groups.Adopt(1<<30, "another")()
		groups.Raise(process.Asked)
		require.Zero(t, run(), "all is to end")
	})
}

// TestNoNumberForACopy: where there are files, but none above those that a command is
// given, which a copy would need, there are too few.
func TestNoNumberForACopy(t *testing.T) {
	largest := largestFile(t)
	var low []*os.File
	for len(low) < 8 || int(low[len(low)-1].Fd()) < largest {
		file, err := os.Open(os.DevNull)
		require.NoError(t, err)
		low = append(low, file)
	}
	s, _ := spawner(t, process.Config{Mode: process.None}) // whose file has a higher number
	noFiles(t)
	for _, file := range low {
		require.NoError(t, file.Close())
	}
	synctest.Test(t, func(t *testing.T) {
		_, err := s.Run(sh("true"))
		require.ErrorAs(t, err, new(*process.SpawnError))
		require.ErrorIs(t, err, syscall.EMFILE)
	})
}

// TestRoomTakenByInput: output that was lost since the input had all the room fails its
// command, although there is room again once the input is gone.
func TestRoomTakenByInput(t *testing.T) {
	t.Setenv("TMPDIR", smallDisk(t))
	s, _ := spawner(t, process.Config{})
	c := sh("head -c 100000 /dev/zero 2>/dev/null; true")
	c.Feed, c.Stdin = true, make([]byte, smallSize-(8<<10))
	o, err := s.Run(c)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorAs(t, err, new(*process.OutputError))
	o.Out.Release()
	o.Err.Release()
	o, err = s.Run(sh("echo fine"))
	require.NoError(t, err)
	require.Equal(t, "fine\n", text(t, o.Out))
	o.Out.Release()
}
