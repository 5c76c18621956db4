package outfile

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func text(s string) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteString(s)
		return err
	}
}

// full writes a part, and then finds that there is no room.
func full(f *os.File) error {
	_, _ = f.WriteString("a part")
	return &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "result")
	err := Write(name, full)
	require.EqualError(t, err, "can't write "+name+": "+syscall.ENOSPC.Error())
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoFileExists(t, name, "a part is no result")

	require.NoError(t, Write(name, text("whole")))
	require.Error(t, Write(name, full))
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "whole", string(got), "what was good stays")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else stays")
}

func TestWriteWholeKeepsWhatAFileIs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are others there")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	require.NoError(t, os.Symlink("file", link))
	require.NoError(t, Write(link, text("new")))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "a link stays one")
	info, err = os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.EqualValues(t, 3, info.Size())

	require.NoError(t, Write(os.DevNull, text("gone")))
	info, err = os.Stat(os.DevNull)
	require.NoError(t, err)
	require.False(t, info.Mode().IsRegular(), "a device is not replaced")
}

// What goes wrong after all was written is an error as well, by the name that was given.
func TestWriteFailsLate(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "result")
	closed := func(f *os.File) error { return f.Close() }
	require.ErrorIs(t, Write(name, closed), os.ErrClosed)
	require.NoFileExists(t, name)
	require.ErrorIs(t, Write(os.DevNull, closed), os.ErrClosed)
	require.ErrorIs(t, Write(os.DevNull, full), syscall.ENOSPC)

	taken := func(*os.File) error { return os.MkdirAll(filepath.Join(name, "in"), 0o700) }
	err := Write(name, taken)
	require.Error(t, err)
	require.Contains(t, err.Error(), "can't write "+name+": ")
	require.NotContains(t, err.Error(), ".amorsize-", "it tells of the file that was asked for")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing stays beside it")
}
