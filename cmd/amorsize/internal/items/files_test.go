package items_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// A file that is standard input is read from where it stands, and may be counted; until then nothing of it is read.
func TestStandardInputIsAFile(t *testing.T) {
	f, err := os.Open(file(t, "gone\na\nb\n"))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for _, format := range []items.Format{items.Lines, items.TSV} {
		_, err = f.Seek(5, io.SeekStart)
		require.NoError(t, err)
		in, err := items.Source{Format: format}.Open(f)
		require.NoError(t, err)
		require.Equal(t, 2, in.Total())
		at, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.Equal(t, int64(5), at, "a file is not copied to be read twice")
		var texts []string
		for it := range in.All() {
			texts = append(texts, it.Text)
		}
		require.NoError(t, in.Err())
		require.Equal(t, []string{"a", "b"}, texts)
	}
}

// How many lines a device will have is not known, even one that ends.
func TestDeviceIsNotCounted(t *testing.T) {
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	in, err := items.Source{}.Open(f)
	require.NoError(t, err)
	require.Equal(t, -1, in.Total())
}

// The run does not wait until the lines of a large file are counted.
func TestLargeFileIsNotCounted(t *testing.T) {
	const countable = 256 << 20
	for size, total := range map[int64]int{countable: 1, countable + 1: -1} {
		name := file(t, "")
		require.NoError(t, os.Truncate(name, size)) // it takes no room where files may have holes
		in, err := items.Source{File: name}.Open(nil)
		require.NoError(t, err)
		require.Equal(t, total, in.Total())
		require.NoError(t, in.Close())
	}
}

// The mark at the beginning of a file is no part of a column's name, nor of a record.
func TestMarkBeforeRecords(t *testing.T) {
	for text, source := range map[string]items.Source{
		"x,y\na,b\n":       {Format: items.CSV, Header: true},
		"x\ty\na\tb\n":     {Format: items.TSV, Header: true},
		`{"x":"a"}` + "\n": {Format: items.JSONL},
	} {
		in, err := source.Open(strings.NewReader("\ufeff" + text))
		require.NoError(t, err, text)
		for it := range in.All() {
			value, ok := it.Named("x")
			require.True(t, ok, text)
			require.Equal(t, "a", value)
		}
		require.NoError(t, in.Close())
	}
}

// An input that has been closed has released its file. It has failed then, and does not seem to have ended.
func TestClosedInput(t *testing.T) {
	for name, c := range map[string]struct {
		source items.Source
		stdin  string
	}{
		"lines":         {items.Source{File: file(t, "1\n2\n")}, ""},
		"CSV":           {items.Source{File: file(t, "1\n2\n"), Format: items.CSV}, ""},
		"TSV":           {items.Source{File: file(t, "1\n2\n"), Format: items.TSV}, ""},
		"JSON lines":    {items.Source{File: file(t, "1\n2\n"), Format: items.JSONL}, ""},
		"what was kept": {items.Source{Format: items.CSV}, "1\n2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			kept := t.TempDir()
			t.Setenv("TMPDIR", kept)
			in, err := c.source.Open(strings.NewReader(c.stdin))
			require.NoError(t, err)
			require.NoError(t, in.Close())
			for range in.All() {
				require.Fail(t, "an item")
			}
			require.ErrorIs(t, in.Err(), os.ErrClosed)
			require.ErrorIs(t, in.Err(), items.ErrInput)
			left, err := filepath.Glob(filepath.Join(kept, "*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
