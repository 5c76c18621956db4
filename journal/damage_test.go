package journal

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/scenarios"
)

// damaged opens a file of that content, and asks that each record is known with its own
// result or not at all. It returns the records that are not.
func damaged(t *testing.T, path string, content []byte, records int) (lost int, found Found) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o600))
	j, err := Open(path, Options{Sync: SyncNever})
	if err != nil {
		require.ErrorIs(t, err, ErrJournal)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, after), "what is refused is left as it is")
		return records, Found{}
	}
	defer func() { require.NoError(t, j.Close()) }()
	for i := range records {
		past, known := j.Find(keyOf(i), false)
		if !known {
			lost++
			continue
		}
		require.Equal(t, string(good(i).Result), string(past.Result))
	}
	return lost, j.Found()
}

func contentOf(t *testing.T, records int) []byte {
	t.Helper()
	path := temporary(t)
	fill(t, path, goods(records)...)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content[:bytes.Index(content, []byte(`{"type":"end"`))] // as if it had been killed
}

// Wherever the last record is cut off, the others are known, and it is told. What comes next
// is recorded.
func TestTornTail(t *testing.T) {
	content := contentOf(t, 5)
	last := bytes.LastIndexByte(content[:len(content)-1], '\n') + 1
	path := temporary(t)
	for end := last; end < len(content); end++ {
		lost, found := damaged(t, path, content[:end], 5)
		require.Equal(t, 1, lost)
		require.EqualValues(t, end-last, found.Torn)
		require.Zero(t, found.Damaged)
		fill(t, path, good(4))
		requireResults(t, open(t, path, Options{}), 5)
		require.NoError(t, os.Remove(path))
	}
}

// A flipped bit, wherever it is, loses the record that it is in, or the two that it is
// between, and is told.
func TestFlippedBits(t *testing.T) {
	content := contentOf(t, 20)
	random := rand.New(rand.NewPCG(1, 2))
	path := temporary(t)
	for range scenarios.Fewer(10000) {
		at, bit := random.IntN(len(content)), byte(1)<<random.IntN(8)
		content[at] ^= bit
		lost, found := damaged(t, path, content, 20)
		header := bytes.IndexByte(content, '\n')
		switch {
		case at <= header: // a newer version, or of what run it is is not known: what is known is right
		case at == len(content)-1:
			require.Equal(t, 1, lost)
			require.Positive(t, found.Torn)
		default:
			require.LessOrEqual(t, lost, 2, "byte %d", at)
			require.True(t, lost == 0 || found.Damaged > 0, "byte %d", at) // a digit of the checksum may be a capital
		}
		content[at] ^= bit
	}
}

// Blocks of zeros, as a file system may leave behind: the lines in them are lost, and told.
func TestZeroedBlocks(t *testing.T) {
	whole := contentOf(t, 200)
	path := temporary(t)
	header := bytes.IndexByte(whole, '\n') + 1
	for at := header; at < len(whole); at += 512 {
		content := bytes.Clone(whole)
		clear(content[at:min(at+4096, len(content))])
		lost, found := damaged(t, path, content, 200)
		require.LessOrEqual(t, lost, 4096/150+2)
		require.Positive(t, lost)
		require.Positive(t, int64(found.Damaged)+found.Torn)
	}
	lost, found := damaged(t, path, append(bytes.Clone(whole), make([]byte, 4096)...), 200)
	require.Zero(t, lost)
	require.EqualValues(t, 4096, found.Torn, "a file that was made longer and not written to")
}

// Ends of lines of other systems do no harm.
func TestCarriageReturns(t *testing.T) {
	content := bytes.ReplaceAll(contentOf(t, 20), []byte("\n"), []byte("\r\n"))
	path := temporary(t)
	lost, found := damaged(t, path, content, 20)
	require.Zero(t, lost+found.Damaged)
	fill(t, path, good(20))
	requireResults(t, open(t, path, Options{}), 21)
}

// A line that says that it is newer, among others.
func TestNewerLines(t *testing.T) {
	content := contentOf(t, 2)
	newer := append(bytes.Clone(content), sealObject([]byte(`{"type":"note","text":"of a later release"}`))...)
	lost, found := damaged(t, temporary(t), newer, 2)
	require.Zero(t, lost+found.Damaged, "a kind of line that is not known is no damage")
	newer = append(newer, sealObject([]byte(`{"type":"run","v":3}`))...)
	path := temporary(t)
	require.NoError(t, os.WriteFile(path, newer, 0o600))
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, ErrVersion)
}

// Whatever a file has, it is read to its end without a panic, and what is known of it has a
// right checksum, or is of version 1.
func FuzzRead(f *testing.F) {
	header := sealObject([]byte(`{"type":"run","v":2}`))
	item := sealObject([]byte(`{"type":"item","n":1,"id":"` + keyOf(1).String() + `","ok":true,"tries":1,"at_s":0,"result":1}`))
	f.Add(append(bytes.Clone(header), item...))
	f.Add([]byte(`{"type":"run","v":1}` + "\n" + `{"type":"item","n":1,"id":"x","ok":true}` + "\n"))
	f.Add(append(bytes.Clone(header), "{\"type\":\"forget\"}\n{\"type\":\"retry\"}\nx"...))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := temporary(t)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		j, err := Open(path, Options{})
		if err != nil {
			require.ErrorIs(t, err, ErrJournal)
			return
		}
		for _, err := range j.Failed() {
			_ = err
		}
		before := len(j.index.at)
		_, new := j.index.at[keyOf(7)]
		require.NoError(t, j.Add(good(7)))
		require.NoError(t, j.Close())
		j, err = Open(path, Options{})
		require.NoError(t, err, "what was opened can be opened again")
		past, known := j.Find(keyOf(7), false)
		require.True(t, known)
		require.Equal(t, string(good(7).Result), string(past.Result))
		if !new {
			before++
		}
		require.Len(t, j.index.at, before)
		require.NoError(t, j.Close())
	})
}
