//go:build unix

package process_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// noRoom has no file be made.
func noRoom(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
}

// small is up to where nothing takes a file.
const small = 4 << 10

// TestKeep: what is read is there whole, in memory or in a file, or not at all.
func TestKeep(t *testing.T) {
	var files process.Files
	defer files.Close()
	for _, size := range []int{0, 1, small, small + 1, 300_000} {
		want := strings.Repeat("x", size)
		c, err := files.Keep(strings.NewReader(want))
		require.NoError(t, err)
		require.Equal(t, int64(size), c.Size())
		require.Equal(t, want, text(t, c))
		require.Equal(t, want[max(0, size-3):], string(c.Tail(3)))
		c.Release()
		require.Zero(t, c.Size())
		require.Empty(t, text(t, c))

		bad := errors.New("bad")
		c, err = files.Keep(io.MultiReader(strings.NewReader(want), iotest.ErrReader(bad)))
		require.ErrorIs(t, err, bad)
		require.False(t, errors.As(err, new(*process.OutputError)))
		c.Release()
	}
	files.Close() // so that another one has to be made
	noRoom(t)
	c, err := files.Keep(strings.NewReader(strings.Repeat("x", small)))
	require.NoError(t, err)
	require.Equal(t, int64(small), c.Size())
	_, err = files.Keep(strings.NewReader(strings.Repeat("x", small+1)))
	var failure *process.OutputError
	require.ErrorAs(t, err, &failure)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestSpool: a file is used again, and has nothing of what was written before.
func TestSpool(t *testing.T) {
	var files process.Files
	defer files.Close()
	bad := errors.New("bad")
	_, err := files.Spool(func(w io.Writer) error {
		_, _ = io.WriteString(w, strings.Repeat("y", 100_000))
		return bad
	})
	require.ErrorIs(t, err, bad)
	for _, size := range []int{0, 3, 50_000, 10} {
		c, err := files.Spool(func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("z"), size))
			return err
		})
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("z", size), text(t, c))
		c.Release()
	}
	noRoom(t)
	c, err := files.Spool(func(w io.Writer) error { return nil }) // there is that file
	require.NoError(t, err)
	c.Release()
	files.Close()
	_, err = files.Spool(func(w io.Writer) error { return nil })
	require.ErrorAs(t, err, new(*process.OutputError))
}

// TestHold: what was written is taken, and nothing of it is left.
func TestHold(t *testing.T) {
	var files process.Files
	defer files.Close()
	h := process.Hold{Files: &files}
	for _, size := range []int{10, small / 16, 1000} { // of sixteen pieces, at first in memory
		for range 2 {
			var want strings.Builder
			for i := range 16 {
				piece := strings.Repeat(string(rune('a'+i)), size)
				n, err := h.Write([]byte(piece))
				require.NoError(t, err)
				require.Equal(t, size, n)
				want.WriteString(piece)
			}
			c, err := h.Take()
			require.NoError(t, err)
			require.Equal(t, want.String(), text(t, c))
			c.Release()
			c, err = h.Take()
			require.NoError(t, err)
			require.Zero(t, c.Size())
		}
	}
	files.Close()
	noRoom(t)
	n, err := h.Write(bytes.Repeat([]byte("x"), small))
	require.NoError(t, err)
	require.Equal(t, small, n)
	_, err = h.Write([]byte("x"))
	require.ErrorAs(t, err, new(*process.OutputError))
}
