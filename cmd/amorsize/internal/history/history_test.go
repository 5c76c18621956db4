package history_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
)

// write puts entries of these ids into a history of the test's own.
func write(t *testing.T, ids ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("AMORSIZE_HISTORY", dir)
	for _, id := range ids {
		text, err := json.Marshal(history.Entry{V: 1, ID: id, Cmd: "run"})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, id+".json"), text, 0o600))
	}
	return dir
}

func TestDir(t *testing.T) {
	t.Setenv("AMORSIZE_HISTORY", "/somewhere")
	require.Equal(t, "/somewhere", history.Dir())
	t.Setenv("AMORSIZE_HISTORY", "off")
	require.Empty(t, history.Dir())
	t.Setenv("AMORSIZE_HISTORY", "")
	t.Setenv("XDG_STATE_HOME", "/state")
	require.Equal(t, filepath.Join("/state", "amorsize", "history"), history.Dir())
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/home/me")
	require.Equal(t, filepath.Join("/home/me", ".local", "state", "amorsize", "history"), history.Dir())
}

// What is saved is found again, by its number from the end and by its id, and is nobody
// else's to read.
func TestSaveAndFind(t *testing.T) {
	dir := write(t, "20200101-000000-000")
	require.NoError(t, history.Save("profile", "wc -l", map[string]int{"n": 3}))
	all, err := history.List()
	require.NoError(t, err)
	require.Len(t, all, 2)
	latest, err := history.Find("-1")
	require.NoError(t, err)
	require.Equal(t, all[1], latest)
	require.Equal(t, 1, latest.V, "older and newer versions read each other's")
	require.Equal(t, "profile", latest.Cmd)
	require.Equal(t, "wc -l", latest.What)
	require.JSONEq(t, `{"n":3}`, string(latest.Data))
	again, err := history.Find(latest.ID)
	require.NoError(t, err)
	require.Equal(t, latest, again)
	info, err := os.Stat(filepath.Join(dir, latest.ID+".json"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestFind(t *testing.T) {
	write(t, "20200101-000000-000", "20200102-000000-000", "20200102-000001-000")
	for id, want := range map[string]string{
		"-1": "20200102-000001-000", "-3": "20200101-000000-000", "20200101": "20200101-000000-000", "20200102-000001": "20200102-000001-000",
	} {
		e, err := history.Find(id)
		require.NoError(t, err, id)
		require.Equal(t, want, e.ID)
	}
	for _, id := range []string{"-4", "-0", "-1x", "2021", "20200102"} {
		_, err := history.Find(id)
		require.ErrorIs(t, err, history.ErrHistory, id)
	}
	require.NoError(t, history.Remove("20200101"))
	require.ErrorIs(t, history.Remove("20200101"), history.ErrHistory)
	all, err := history.List()
	require.NoError(t, err)
	require.Len(t, all, 2)
}

// Runs that end in the same millisecond are all kept.
func TestSavedAtOnce(t *testing.T) {
	write(t)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() { assert.NoError(t, history.Save("run", fmt.Sprint(i), i)) })
	}
	group.Wait()
	all, err := history.List()
	require.NoError(t, err)
	require.Len(t, all, 20)
}

// The oldest go, and what is no entry is left out.
func TestMost(t *testing.T) {
	var ids []string
	for i := range history.Most {
		ids = append(ids, fmt.Sprintf("20200101-%06d-000", i))
	}
	dir := write(t, ids...)
	require.NoError(t, history.Save("run", "true", 1))
	all, err := history.List()
	require.NoError(t, err)
	require.Len(t, all, history.Most)
	require.Equal(t, ids[1], all[0].ID)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.json"), []byte("torn {"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "y.json"), []byte("{}"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o600))
	all, err = history.List()
	require.NoError(t, err)
	require.Len(t, all, history.Most)
}

// Nothing is kept where nothing is to be, and a place that can't be written is told.
func TestNoHistory(t *testing.T) {
	t.Setenv("AMORSIZE_HISTORY", "off")
	require.NoError(t, history.Save("run", "true", 1))
	all, err := history.List()
	require.NoError(t, err)
	require.Empty(t, all)

	t.Setenv("AMORSIZE_HISTORY", filepath.Join(t.TempDir(), "none"))
	all, err = history.List()
	require.NoError(t, err)
	require.Empty(t, all)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("AMORSIZE_HISTORY", file)
	require.ErrorIs(t, history.Save("run", "true", 1), history.ErrHistory)
	_, err = history.List()
	require.ErrorIs(t, err, history.ErrHistory)
	require.Error(t, history.Save("run", "true", make(chan int)), "what is not JSON")
}
