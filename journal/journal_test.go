package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// open opens a journal that is closed at the end of the test, if it is not before.
func open(t *testing.T, path string, opts Options) *Journal {
	t.Helper()
	j, err := Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func temporary(t *testing.T) string { return filepath.Join(t.TempDir(), "night.jsonl") }

func keyOf(i int) Key { return KeyOf(fmt.Append(nil, i)) }

// good is the record of an item that went well, with the result "result i".
func good(i int) Record {
	result, _ := json.Marshal(fmt.Sprint("result ", i))
	return Record{Index: i, Key: keyOf(i), Attempts: 1, Took: time.Millisecond, Result: result}
}

func bad(i int, text string) Record {
	return Record{Index: i, Key: keyOf(i), Attempts: 3, Took: time.Second, Failed: &Failed{
		Item: fmt.Sprint(i), Err: text, Types: []string{"*errors.errorString"},
	}}
}

func fill(t *testing.T, path string, records ...Record) {
	t.Helper()
	j := open(t, path, Options{})
	for _, r := range records {
		require.NoError(t, j.Add(r))
	}
	require.NoError(t, j.Close())
}

func goods(n int) (list []Record) {
	for i := range n {
		list = append(list, good(i))
	}
	return list
}

// requireResults asks that the journal knows the results of so many items, and no others.
func requireResults(t *testing.T, j *Journal, n int) {
	t.Helper()
	for i := range n {
		past, known := j.Find(keyOf(i), false)
		require.True(t, known, "item %d", i)
		require.Equal(t, fmt.Sprintf(`"result %d"`, i), string(past.Result))
	}
	_, known := j.Find(keyOf(n), false)
	require.False(t, known)
}

// What was recorded is known when the journal is opened again, and at once.
func TestRecordsAreKnown(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{Run: "v1"})
	for i := range 100 {
		require.NoError(t, j.Add(good(i)))
	}
	requireResults(t, j, 100)
	require.NoError(t, j.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm(), "results are the owner's")

	j = open(t, path, Options{Run: "v1"})
	requireResults(t, j, 100)
	require.Equal(t, 100, j.Found().Items)
	require.Equal(t, 1, j.Found().Runs)
	require.Zero(t, j.Found().Torn+int64(j.Found().Damaged+j.Found().Failed+j.Found().Superseded))
	require.Equal(t, Program, j.Found().Header.Command)
}

// A journal that was only looked into stays as it is.
func TestLookingWritesNothing(t *testing.T) {
	path := temporary(t)
	fill(t, path, goods(3)...)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, open(t, path, Options{}).Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// Another run, another codec, a newer version, another kind of file are refused, and nothing
// is changed.
func TestOthersAreRefused(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{Run: "thumbnails v2"})
	require.NoError(t, j.Add(good(0)))
	require.NoError(t, j.Close())
	for text, opts := range map[string]Options{
		`it is of another run: "thumbnails v2", and not "thumbnails v3" as Options.Run says; take another file`: {Run: "thumbnails v3"},
		`it is of another run: "thumbnails v2", and not "" as Options.Run says; take another file`:              {},
		`it is of another run: its results are kept by the codec json, and not gob as Options.Codec says`:       {Run: "thumbnails v2", Codec: Gob},
	} {
		_, err := Open(path, opts)
		require.EqualError(t, err, "journal "+path+": "+text)
		require.ErrorIs(t, err, ErrOtherRun)
		require.ErrorIs(t, err, ErrJournal)
		var typed *Error
		require.ErrorAs(t, err, &typed)
	}
	for content, want := range map[string]error{
		`{"type":"run","v":3}` + "\n": ErrVersion,
		"\n":                          ErrNotJournal,
		"some text\nof two lines\n":   ErrNotJournal,
		"some text":                   ErrNotJournal,
	} {
		path := temporary(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Open(path, Options{})
		require.ErrorIs(t, err, want, content)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, string(after))
	}
}

// An empty file, and one with the beginning of a header, is a new journal.
func TestEmptyFile(t *testing.T) {
	for _, content := range []string{"", `{"ty`, `{"type":"run","v":2,"run`} {
		path := temporary(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		j := open(t, path, Options{})
		require.EqualValues(t, len(content), j.Found().Torn)
		require.NoError(t, j.Add(good(0)))
		require.NoError(t, j.Close())
		requireResults(t, open(t, path, Options{}), 1)
	}
}

// One at a time writes, and whoever else wants to is told who that is.
func TestOneWriter(t *testing.T) {
	path := temporary(t)
	synctest.Test(t, func(t *testing.T) {
		j := open(t, path, Options{})
		_, err := Open(path, Options{})
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, fmt.Sprintf("another one writes to it: process %d on ", os.Getpid()))
		require.NoError(t, j.Close())
		open(t, path, Options{})
	})
}

// A killed process's lock is held for a moment by a child that it was beginning.
func TestLockOutlivesItsProcess(t *testing.T) {
	path := temporary(t)
	synctest.Test(t, func(t *testing.T) {
		file, err := openLocked(path)
		require.NoError(t, err)
		time.AfterFunc(lockPatience/2, func() { _ = file.Close() })
		open(t, path, Options{})
	})
}

func TestClosed(t *testing.T) {
	j := open(t, temporary(t), Options{})
	require.NoError(t, j.Add(good(0)))
	require.NoError(t, j.Close())
	require.ErrorIs(t, j.Add(good(1)), ErrClosed)
	require.NoError(t, j.Sync(), "there is nothing left to sync")
	require.ErrorIs(t, j.Close(), ErrClosed)
}

func TestOptions(t *testing.T) {
	for want, opts := range map[string]Options{
		"journal: Sync = 7: must be SyncGroup, SyncAlways or SyncNever":         {Sync: 7},
		"journal: SyncEvery = 1µs: must be at least 1ms, or 0 for the default":  {SyncEvery: time.Microsecond},
		"journal: SyncRecords = -1: must be 1 to 1000000, or 0 for the default": {SyncRecords: -1},
		"journal: SpillBytes = -1: must be at least 1, or 0 for the default":    {SpillBytes: -1},
		"journal: MaxFailed = -1: must be at least 1, or 0 for the default":     {MaxFailed: -1},
	} {
		_, err := Open(temporary(t), opts)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := Open(filepath.Join(t.TempDir(), "no", "such"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorIs(t, err, ErrJournal)
	_, err = Open(os.DevNull, Options{})
	require.ErrorIs(t, err, ErrNotJournal)
}

// Failures are listed in their order, until they succeed or are forgotten, also by another
// process.
func TestFailed(t *testing.T) {
	path := temporary(t)
	list := func(j *Journal) (texts []string) {
		for f, err := range j.Failed() {
			require.NoError(t, err)
			require.Equal(t, keyOf(f.Index), f.Key)
			require.Equal(t, 3, f.Attempts)
			require.Equal(t, time.Second, f.Took)
			require.WithinDuration(t, time.Now(), f.At, time.Hour)
			require.Equal(t, []string{"*errors.errorString"}, f.Types)
			texts = append(texts, f.Item+" "+f.Err)
		}
		return texts
	}
	j := open(t, path, Options{})
	for _, r := range []Record{bad(5, "refused"), good(1), bad(2, "lost"), bad(3, "late"), good(2), bad(5, "refused again")} {
		require.NoError(t, j.Add(r))
	}
	require.Equal(t, []string{"3 late", "5 refused again"}, list(j))
	past, known := j.Find(keyOf(5), false)
	require.True(t, known)
	require.Equal(t, "refused again", past.Failure.Err)
	_, known = j.Find(keyOf(5), true)
	require.False(t, known, "failures are wanted again")
	_, known = j.Find(keyOf(2), true)
	require.True(t, known)
	require.NoError(t, j.Close())

	j = open(t, path, Options{})
	require.Equal(t, []string{"3 late", "5 refused again"}, list(j))
	require.Equal(t, 2, j.Found().Failed)
	require.NoError(t, j.Retry())
	_, known = j.Find(keyOf(5), false)
	require.False(t, known, "it is to run again")
	require.Equal(t, []string{"3 late", "5 refused again"}, list(j), "and is still listed")
	require.NoError(t, j.Close())

	j = open(t, path, Options{})
	_, known = j.Find(keyOf(3), false)
	require.False(t, known)
	n, err := j.Purge(func(f Failure) bool { return strings.HasPrefix(f.Err, "refused") })
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{"3 late"}, list(j))
	require.NoError(t, j.Close())

	j = open(t, path, Options{})
	require.Equal(t, []string{"3 late"}, list(j))
	n, err = j.Purge(nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, j.Close())
	require.Empty(t, list(open(t, path, Options{})))
}

// Of a panic, the item runs again in any case.
func TestFailedAgain(t *testing.T) {
	path := temporary(t)
	r := bad(1, "panic: boom")
	r.Failed.Again = true
	fill(t, path, r)
	j := open(t, path, Options{})
	_, known := j.Find(keyOf(1), false)
	require.False(t, known)
	require.Equal(t, 1, j.Found().Failed)
}

// Only so many failures are listed, the others counted. When what is superseded is taken out,
// so are their texts; that they have failed is known.
func TestMostFailed(t *testing.T) {
	path := temporary(t)
	var records []Record
	for i := range 10 {
		records = append(records, bad(i, "once"))
	}
	for i := range 10 {
		records = append(records, bad(i, "twice"), good(10))
	}
	fill(t, path, records...)
	for round := range 2 {
		j := open(t, path, Options{MaxFailed: 3})
		require.Equal(t, round == 0, j.Found().Compacted)
		require.Equal(t, 7, j.Dropped())
		var items []string
		for f, err := range j.Failed() {
			require.NoError(t, err)
			items = append(items, f.Item+" "+f.Err)
		}
		require.Equal(t, []string{"7 twice", "8 twice", "9 twice"}, items)
		past, known := j.Find(keyOf(0), false)
		require.True(t, known)
		require.Equal(t, "failed in an earlier run; what it said was dropped", past.Failure.Err)
		require.NoError(t, j.Close())
	}
}

// What is superseded is taken out when it is more than half, and nothing else is lost.
func TestCompaction(t *testing.T) {
	path := temporary(t)
	for range 3 {
		fill(t, path, slices.Concat(goods(50), []Record{bad(60, "x")})...)
	}
	before, err := os.Stat(path)
	require.NoError(t, err)
	j := open(t, path, Options{})
	require.True(t, j.Found().Compacted)
	require.Equal(t, 3, j.Found().Runs)
	requireResults(t, j, 50)
	require.NoError(t, j.Add(good(50)))
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrInUse, "the new file is locked like the old one")
	require.NoError(t, j.Close())
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, after.Size(), before.Size()/2)
	j = open(t, path, Options{})
	require.False(t, j.Found().Compacted)
	requireResults(t, j, 51)
	require.Equal(t, 1, j.Found().Failed)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// A large result has a file of its own; one that is damaged or gone runs again.
func TestSpill(t *testing.T) {
	path := temporary(t)
	opts := Options{SpillBytes: 100}
	j := open(t, path, opts)
	large := good(1)
	large.Result, _ = json.Marshal(strings.Repeat("x", 200))
	require.NoError(t, j.Add(large))
	require.NoError(t, j.Add(good(2)))
	require.NoError(t, j.Close())
	j = open(t, path, opts)
	past, known := j.Find(keyOf(1), false)
	require.True(t, known)
	require.Equal(t, large.Result, past.Result)
	files, err := filepath.Glob(filepath.Join(path+".spill", keyOf(1).String()+"-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	file := files[0]
	require.NoError(t, os.WriteFile(file, large.Result[1:], 0o600))
	_, known = j.Find(keyOf(1), false)
	require.False(t, known)
	require.NoError(t, os.Remove(file))
	_, known = j.Find(keyOf(1), false)
	require.False(t, known)
	require.Equal(t, 2, j.Lost())
	_, known = j.Find(keyOf(2), false)
	require.True(t, known)
}

// Gob keeps what JSON does not have, and None nothing.
func TestCodecs(t *testing.T) {
	for _, codec := range []Codec{JSON, Gob, None} {
		path := temporary(t)
		j := open(t, path, Options{Codec: codec})
		raw, err := codec.Marshal(map[string]int{"a": 1})
		require.NoError(t, err)
		require.NoError(t, j.Add(Record{Key: keyOf(0), Result: raw}))
		require.NoError(t, j.Close())
		j = open(t, path, Options{Codec: codec})
		past, known := j.Find(keyOf(0), false)
		require.True(t, known, codec.Name())
		require.Equal(t, raw, past.Result)
		var got map[string]int
		require.NoError(t, codec.Unmarshal(past.Result, &got))
		if codec != None {
			require.Equal(t, map[string]int{"a": 1}, got)
		}
	}
}

// Keys of equal items differ, and are the same in each run.
func TestKeys(t *testing.T) {
	k := KeyOf([]byte("x"))
	require.Equal(t, k, k.Again(0))
	seen := map[Key]bool{}
	for n := range 100 {
		seen[k.Again(n)] = true
	}
	require.Len(t, seen, 100)
	require.Equal(t, "2d711642b726b04401627ca9fbac32f5", k.String())
	back, err := keyFrom(k.String())
	require.NoError(t, err)
	require.Equal(t, k, back)
	_, err = keyFrom("2d")
	require.Error(t, err)
	_, err = keyFrom(strings.Repeat("x", 32))
	require.Error(t, err)
}

// The text of an item that is no UTF-8 is kept.
func TestFailedBytes(t *testing.T) {
	path := temporary(t)
	r := bad(0, "x")
	r.Failed.Item = "a\xffb"
	fill(t, path, r)
	for f, err := range open(t, path, Options{}).Failed() {
		require.NoError(t, err)
		require.Equal(t, "a\xffb", f.Item)
	}
}
