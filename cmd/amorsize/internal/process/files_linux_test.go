package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// TestSendToOfLittle: what is in memory arrives, too, and of nothing nothing is written: a
// reader that has gone is no matter then.
func TestSendToOfLittle(t *testing.T) {
	one, little := process.Bytes([]byte("1")), process.Bytes([]byte(" little"))
	to, err := os.Create(filepath.Join(t.TempDir(), "to"))
	require.NoError(t, err)
	require.NoError(t, one.SendTo(to))
	require.NoError(t, little.SendTo(to))
	require.NoError(t, new(process.Capture).SendTo(to))
	got, err := os.ReadFile(to.Name())
	require.NoError(t, err)
	require.Equal(t, "1 little", string(got))
	require.NoError(t, to.Close())
	require.ErrorIs(t, little.SendTo(to), os.ErrClosed)
	require.NoError(t, new(process.Capture).SendTo(to))
}

// TestFileIsLentOnce: a command that can't be started gives its one file back once, so that no
// two have it afterwards.
func TestFileIsLentOnce(t *testing.T) {
	s, _ := spawner(t, process.Config{Merge: true})
	_, err := s.Run(process.Command{Path: "/no/such/program", Argv: []string{"x"}})
	require.ErrorAs(t, err, new(*process.SpawnError))
	const size = 10_000 // which stays in the file
	first, err := s.Run(sh("yes a | tr -d '\n' | head -c 10000"))
	require.NoError(t, err)
	second, err := s.Run(sh("yes b | tr -d '\n' | head -c 10000"))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("a", size), text(t, first.Out))
	require.Equal(t, strings.Repeat("b", size), text(t, second.Out))
	first.Out.Release()
	second.Out.Release()
}

// TestClosedSpawnerHasNoFile: nothing of what it has lent, and got back, stays open.
func TestClosedSpawnerHasNoFile(t *testing.T) {
	before := openFiles(t)
	s, err := process.NewSpawner(process.Config{Groups: new(process.Groups)})
	require.NoError(t, err)
	o, err := s.Run(sh("echo a; echo b >&2"))
	require.NoError(t, err)
	o.Out.Release()
	o.Err.Release()
	s.Close()
	require.LessOrEqual(t, openFiles(t), before)
	runtime.KeepAlive(s) // or a collection might have closed them
}

// TestNoFilesForAPartner: one for which there are too few files is not started, which its error
// says by its name, and what it had of them already is free again.
func TestNoFilesForAPartner(t *testing.T) {
	s, _ := spawner(t, process.Config{})
	var kept []int
	for range 4 {
		fd, err := syscall.Dup(0)
		require.NoError(t, err)
		kept = append(kept, fd)
	}
	noFiles(t)
	fillFiles(t)
	for i := 0; ; i += 2 { // none, one pipe, or two, but none to start it by
		_, err := s.Start(process.Command{Path: "/bin/cat", Argv: []string{"kitty", "-u"}})
		require.ErrorContains(t, err, "can't start kitty: ")
		require.ErrorIs(t, err, syscall.EMFILE)
		require.True(t, process.Own(err))
		require.GreaterOrEqual(t, freeFiles(t), i) // a collection may close what others have left
		if i == len(kept) {
			return
		}
		require.NoError(t, errors.Join(syscall.Close(kept[i]), syscall.Close(kept[i+1])))
	}
}

// freeFiles counts those that could be opened.
func freeFiles(t *testing.T) (free int) {
	t.Helper()
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			return free
		}
		defer func() { require.NoError(t, syscall.Close(fd)) }()
		free++
	}
}
