//go:build unix

package command

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// spawner starts processes until the end of the test.
func spawner(t *testing.T) *process.Spawner {
	t.Helper()
	s, err := process.NewSpawner(process.Config{Groups: new(process.Groups), Grace: time.Minute})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// An extra line behind an answer makes the answer before doubtful if the process was still running after that one:
// it may have been late.
func TestDoubtOfTheAnswerBefore(t *testing.T) {
	for _, c := range []struct {
		last           int
		busy, doubtful bool
	}{{0, true, false}, {1, true, true}, {2, true, true}, {1, false, false}} {
		partner, err := spawner(t).Start(process.Command{Argv: []string{"cat"}})
		require.NoError(t, err)
		p := &coprocess{Partner: *partner, lines: bufio.NewReaderSize(partner.Answers, 64<<10), busy: c.busy}
		p.last = items.Of(c.last, "before")
		_, err = p.ask([]byte("answer\nextra"), 0)
		require.ErrorIs(t, err, errAstray)
		require.Equal(t, c.doubtful, p.doubtful, c)
		require.NoError(t, p.End())
	}
}

// A runner that is closed leaves no file open.
func TestCloseLeavesNothingOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("which files are open is not known elsewhere")
	}
	before := opened(t, os.DevNull)
	r, err := New(&Spec{}, Surroundings{Groups: new(process.Groups)})
	require.NoError(t, err)
	r.Close()
	require.LessOrEqual(t, opened(t, os.DevNull), before, "what others left may be closed meanwhile")
}

// opened returns how often a file is open in this process.
func opened(t *testing.T, file string) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range list {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && name == file {
			n++
		}
	}
	return n
}
