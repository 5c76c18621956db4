package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lines of a file are there when Add returns, however many are added at a time.
func TestFileAdds(t *testing.T) {
	path := temporary(t)
	f, err := OpenFile(path)
	require.NoError(t, err)
	require.True(t, f.Regular())
	for round := range 50 {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { require.NoError(t, f.Add(map[string]any{"type": "item", "n": i})) })
		}
		all.Wait()
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, 8*(round+1), bytes.Count(content, []byte("\n")))
	}
	require.Error(t, f.Add(func() {}), "that is no JSON")
	require.NoError(t, f.Resume(0, true))
	require.NoError(t, f.Add(map[string]any{"type": "run", "v": 2}))
	whole, size, err := f.Lines(func(l Line) error {
		require.Equal(t, "run", l.Type)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, size, whole)
	require.NoError(t, f.Close())
}

// What Add says is recorded is there, also if the journal is closed meanwhile.
func TestAddBesideClose(t *testing.T) {
	for round := range 40 {
		path := temporary(t)
		j := open(t, path, Options{Sync: SyncNever})
		var all sync.WaitGroup
		var added [4]int
		var begun atomic.Int64
		for g := range 4 {
			all.Go(func() {
				for i := 0; ; i++ {
					if j.Add(good(g*1e6+i)) != nil {
						return
					}
					added[g]++
					begun.Add(1)
				}
			})
		}
		for begun.Load() < int64(round) {
			runtime.Gosched()
		}
		require.NoError(t, j.Close())
		all.Wait()
		if added == [4]int{} {
			continue // nothing was recorded, and there is no header
		}
		v, err := View(path)
		require.NoError(t, err)
		for g, n := range added {
			for i := range n {
				require.True(t, v.Has(keyOf(g*1e6+i), false))
			}
		}
		require.NoError(t, v.Close())
	}
}

// lateDisk takes its time.
type lateDisk struct {
	disk
	hold chan struct{}
}

func (d lateDisk) Sync() error {
	<-d.hold
	return d.disk.Sync()
}

// Failures that are on their way to the disk are not listed yet, and nobody stumbles over them.
func TestFailedBesideAdd(t *testing.T) {
	j := open(t, temporary(t), Options{SyncRecords: 2})
	require.NoError(t, j.Add(bad(0, "x")))
	require.NoError(t, j.Sync())
	hold := make(chan struct{})
	j.file = lateDisk{j.file, hold}
	var all sync.WaitGroup
	all.Go(func() { require.NoError(t, j.Add(bad(1, "x"))) })
	all.Go(func() { require.NoError(t, j.Add(bad(2, "x"))) })
	for {
		j.mu.Lock()
		writing := j.writing
		j.mu.Unlock()
		if writing {
			break
		}
		runtime.Gosched()
	}
	require.Len(t, j.listed(), 1)
	close(hold)
	all.Wait()
	n := 0
	for _, err := range j.Failed() {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 3, n)
	require.LessOrEqual(t, cap(j.window.part), windowSize)
	_, err := j.Purge(nil)
	require.NoError(t, err)
	content, err := os.ReadFile(j.Path())
	require.NoError(t, err)
	require.Contains(t, string(content), `"type":"forget"`, "it is on the disk")
}

// empty is a codec of which a zero has no bytes, as protocol buffers have it.
type empty struct{}

func (empty) Name() string                { return "empty" }
func (empty) Marshal(any) ([]byte, error) { return nil, nil }
func (empty) Unmarshal([]byte, any) error { return nil }

func TestEmptyResult(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{Codec: empty{}})
	require.NoError(t, j.Add(Record{Key: keyOf(1)}))
	require.NoError(t, j.Close())
	j = open(t, path, Options{Codec: empty{}})
	_, known := j.Find(keyOf(1), false)
	require.True(t, known)
	require.Zero(t, j.Lost())
}

// By whatever name it is opened, and wherever the process goes, it is one journal.
func TestNamesOfOneJournal(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.jsonl"), filepath.Join(dir, "link.jsonl")
	require.NoError(t, os.WriteFile(real, nil, 0o600))
	require.NoError(t, os.Symlink(real, link))
	t.Chdir(dir)
	large, compacted := good(1000), false
	for range 4 {
		j := open(t, "link.jsonl", Options{SpillBytes: 12})
		compacted = compacted || j.Found().Compacted
		t.Chdir(t.TempDir())
		require.NoError(t, j.Add(large))
		for i := range 5 {
			require.NoError(t, j.Add(good(i)))
		}
		require.NoError(t, j.Close())
		t.Chdir(dir)
	}
	j := open(t, link, Options{SpillBytes: 12})
	require.True(t, compacted)
	_, err := Open(real, Options{})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, j.Close())
	j = open(t, real, Options{SpillBytes: 12})
	past, known := j.Find(large.Key, false)
	require.True(t, known)
	require.Equal(t, large.Result, past.Result)
}

// What is superseded takes no room for long, nor what a crash has left.
func TestSweep(t *testing.T) {
	path := temporary(t)
	opts := Options{SpillBytes: 10}
	leftover := filepath.Join(filepath.Dir(path), ".night.jsonl-123")
	require.NoError(t, os.WriteFile(leftover, nil, 0o600))
	for n := range 4 {
		j := open(t, path, opts)
		require.NoError(t, j.Add(Record{Key: keyOf(0), Result: fmt.Appendf(nil, `"result number %d"`, n)}))
		require.NoError(t, j.Add(Record{Key: keyOf(1), Result: []byte(`"always the same"`)}))
		require.NoError(t, j.Close())
	}
	j := open(t, path, opts)
	files, err := os.ReadDir(path + ".spill")
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 3)
	require.NoFileExists(t, leftover)
	for i, want := range []string{`"result number 3"`, `"always the same"`} {
		past, known := j.Find(keyOf(i), false)
		require.True(t, known)
		require.Equal(t, want, string(past.Result))
	}
}

// Of several who record one item, one counts, with its own result.
func TestSpillsOfOneItem(t *testing.T) {
	j := open(t, temporary(t), Options{SpillBytes: 10, Sync: SyncNever})
	for i := range 100 {
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				require.NoError(t, j.Add(Record{Key: keyOf(i), Result: fmt.Appendf(nil, `"012345678901%d"`, g)}))
			})
		}
		all.Wait()
		_, known := j.Find(keyOf(i), false)
		require.True(t, known)
	}
	require.Zero(t, j.Lost())
}

// A header that is damaged loses nothing, and is told.
func TestDamagedHeader(t *testing.T) {
	path := temporary(t)
	content := contentOf(t, 5)
	content[60] ^= 1
	lost, found := damaged(t, path, content, 5)
	require.Zero(t, lost)
	require.Equal(t, 1, found.FirstDamaged)
	require.Contains(t, found.Warnings()[0], "is damaged: it is assumed to be this run")
}

// Which run was the latest, and whether it came to its end: one that only looked is none.
func TestLatest(t *testing.T) {
	path := temporary(t)
	fill(t, path, bad(0, "x"))
	first := open(t, path, Options{})
	require.True(t, first.Found().Ended)
	require.NoError(t, first.Retry())
	require.NoError(t, first.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(content, []byte(`"type":"run"`)))
	v, err := View(path)
	require.NoError(t, err)
	require.Equal(t, v.Found().Header, v.Found().Latest)
	require.True(t, v.Found().Ended)
	require.NoError(t, v.Close())
	killed, _, _ := bytes.Cut(content, []byte(`{"type":"end"`))
	require.NoError(t, os.WriteFile(path, killed, 0o600))
	v, err = View(path)
	require.NoError(t, err)
	require.False(t, v.Found().Ended)
	require.NoError(t, v.Close())
}

// Bytes that are no UTF-8 are refused, which JSON would not give back.
func TestJSONOfBytes(t *testing.T) {
	_, err := JSON.Marshal("caf\xe9")
	require.ErrorContains(t, err, "use journal.Gob")
	_, err = JSON.Marshal("\ufffd")
	require.NoError(t, err)
}

// A type that has not what was written is another one.
func TestOtherType(t *testing.T) {
	var size struct{ Bytes int }
	require.ErrorContains(t, JSON.Unmarshal([]byte(`{"Size":3}`), &size), "unknown field")
	require.NoError(t, JSON.Unmarshal([]byte(`{"Bytes":3}`), &size))
}

// What drop did not see stays, and a killed run stays one when the file is written anew.
func TestPurgeOfWhatIsSeen(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{})
	require.NoError(t, j.Add(bad(0, "old")))
	require.NoError(t, j.Add(bad(1, "old")))
	n, err := j.Purge(func(f Failure) bool {
		if f.Index == 0 {
			require.NoError(t, j.Add(bad(0, "new")))
		}
		return true
	})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, j.Close())
	for f, err := range open(t, path, Options{}).Failed() {
		require.NoError(t, err)
		require.Equal(t, "new", f.Err)
	}
}

func TestCompactionOfAKilledRun(t *testing.T) {
	path := temporary(t)
	fill(t, path, goods(5)...)
	for range 2 {
		j := open(t, path, Options{})
		for _, r := range goods(5) {
			require.NoError(t, j.Add(r))
		}
		require.NoError(t, j.Sync())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, j.Close())
		require.NoError(t, os.WriteFile(path, content, 0o600)) // it was killed
	}
	j := open(t, path, Options{})
	require.True(t, j.Found().Compacted)
	require.NoError(t, j.Close())
	v, err := View(path)
	require.NoError(t, err)
	require.False(t, v.Found().Ended)
	require.NoError(t, v.Close())
}
