package outfile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
)

func TestSame(t *testing.T) {
	dir := t.TempDir()
	log, other, missing := filepath.Join(dir, "log"), filepath.Join(dir, "other"), filepath.Join(dir, "missing")
	for _, name := range []string{log, other} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	hard := filepath.Join(dir, "hard")
	require.NoError(t, os.Link(log, hard))

	require.True(t, outfile.Same(log, outfile.Stat(log)))
	require.True(t, outfile.Same(hard, outfile.Stat(log)), "another name of the same file")
	require.False(t, outfile.Same(log, outfile.Stat(other)))
	require.False(t, outfile.Same(missing, outfile.Stat(log)))
	require.False(t, outfile.Same(log, nil))
	require.False(t, outfile.Same(os.DevNull, outfile.Stat(os.DevNull)), "several may write to a device")

	if soft := filepath.Join(dir, "soft"); os.Symlink(log, soft) == nil {
		require.True(t, outfile.SamePath(soft, log), "a link to it")
	}
	require.True(t, outfile.SamePath(missing, filepath.Join(dir, "x", "..", "missing")), "neither is there yet")
	require.False(t, outfile.SamePath(missing, log))
	require.False(t, outfile.SamePath(os.DevNull, os.DevNull))
}

func TestReserved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are others there")
	}
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	absent := outfile.Reserved{Path: filepath.Join(dir, "run.jsonl")}
	require.True(t, absent.Is(filepath.Join(link, "run.jsonl")), "by another way, and not there yet")
	require.False(t, absent.Is(filepath.Join(link, "run.json")))
	require.False(t, absent.Is(filepath.Join(t.TempDir(), "run.jsonl")), "of that name elsewhere")
	require.False(t, outfile.Reserved{}.Is(dir), "nothing is reserved")

	input := filepath.Join(dir, "input")
	require.NoError(t, os.WriteFile(input, nil, 0o600))
	unnamed := outfile.Reserved{Info: outfile.Stat(input)}
	require.True(t, unnamed.Is(filepath.Join(link, "input")))
	require.False(t, unnamed.Is(filepath.Join(dir, "other")))
}
