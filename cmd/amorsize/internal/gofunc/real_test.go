package gofunc

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realBuild builds a function of the module.
func realBuild(t *testing.T, dir, target string) *Binary {
	t.Helper()
	parsed, err := ParseTarget(target, "")
	require.NoError(t, err)
	p, err := Load(t.Context(), parsed, Options{Dir: dir})
	require.NoError(t, err)
	f, err := p.Function(false)
	require.NoError(t, err)
	b, err := f.Build(t.Context())
	require.NoError(t, err)
	return b
}

// TestRealBuildAnswers: what the go command builds speaks as the client expects, and nothing is written into the
// user's tree. The scripts of the command try all kinds of functions.
func TestRealBuildAnswers(t *testing.T) {
	out, _, err := Options{}.goCommand(t.Context(), "env", "GOCACHE")
	require.NoError(t, err)
	t.Setenv("GOCACHE", strings.TrimSpace(string(out)))
	cacheIn(t)
	dir := userModule(t)
	b := realBuild(t, dir, "./calc.late")
	require.False(t, b.Kept)
	require.True(t, realBuild(t, dir, "./calc.late").Kept)
	s, err := b.Serve(nil, dir)
	require.NoError(t, err)
	got, err := s.Call(1, []json.RawMessage{json.RawMessage("6")}, time.Hour)
	require.NoError(t, err)
	require.Equal(t, []json.RawMessage{json.RawMessage("7")}, got.Results)
	_, err = s.Call(2, []json.RawMessage{json.RawMessage(`"x"`)}, 0)
	require.ErrorContains(t, err, "decode as dep.Number: ")
	s.Close()
	require.EqualError(t, s.dead, "the function's process has been ended")

	sample, err := b.Sample(t.Context(), Run{Items: list("1", "2", "3"), Budget: time.Hour})
	require.NoError(t, err)
	require.Equal(t, 3, sample.Items)
	parallel, err := b.Parallel(t.Context(), Run{Items: list("1", "2", "3"), Workers: 2})
	require.NoError(t, err)
	require.Equal(t, 3, parallel.Items)
	_, err = b.Sample(t.Context(), Run{Items: list("1", "x"), Budget: time.Hour})
	require.ErrorContains(t, err, "item 2: decode as dep.Number: ")

	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		require.NotContains(t, filepath.Base(path), "amorsize")
		return err
	}))
}
