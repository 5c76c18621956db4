package gofunc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cacheIn makes a folder the one of the user's caches.
func cacheIn(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, dir)
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(cache, "amorsize", "harness")
}

// noTemporary makes a folder the one of temporary files, and holds that nothing is left there.
func noTemporary(t *testing.T) (dir string, empty func()) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir, func() { t.Helper(); require.Empty(t, entries(t, dir)) }
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// square is a function of a package that has not been built.
func square(t *testing.T) *Function {
	t.Helper()
	f, err := source(t, "package calc\n\nfunc Square(n int) int { return n * n }\n").named("Square", false)
	require.NoError(t, err)
	return f
}

// TestBuildIsKept: the same sources are built once. The harness is in the user's cache, which nobody else reads.
func TestBuildIsKept(t *testing.T) {
	kept := cacheIn(t)
	_, empty := noTemporary(t)
	calls := fakeGo(t, goScript{Build: "the program"})
	f := square(t)
	f.options = Options{Tags: "special", Race: true}
	b, err := f.Build(t.Context())
	require.NoError(t, err)
	require.False(t, b.Kept)
	require.Positive(t, b.Took)
	require.Equal(t, []string{filepath.Base(b.Path)}, entries(t, kept), "and nothing besides it")
	require.Equal(t, kept, filepath.Dir(b.Path))
	require.Len(t, filepath.Base(b.Path), 32)
	raw, err := os.ReadFile(b.Path)
	require.NoError(t, err)
	require.Equal(t, "the program", string(raw))
	info, err := os.Stat(b.Path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode())
	empty()
	b.Close()
	require.FileExists(t, b.Path, "it is kept")

	long := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(b.Path, long, long))
	again, err := f.Build(t.Context())
	require.NoError(t, err)
	require.True(t, again.Kept)
	require.Equal(t, b.Path, again.Path)
	require.Positive(t, again.Took)
	info, err = os.Stat(b.Path)
	require.NoError(t, err)
	require.Greater(t, info.ModTime(), long.Add(time.Hour), "it counts as used")
	again.Close()
	require.FileExists(t, b.Path)

	require.NoError(t, os.Remove(b.Path))
	require.NoError(t, os.Mkdir(b.Path, 0o700))
	third, err := f.Build(t.Context())
	require.NoError(t, err)
	require.False(t, third.Kept, "a folder is no program")
	require.NotEqual(t, b.Path, third.Path)
	third.Close()
	empty()

	list := calls()
	require.Len(t, list, 2)
	require.Equal(t, []string{"build", "-tags=special", "-race", "-overlay"}, list[0].Args[:4])
	require.Equal(t, filepath.Join(f.Dir, "amorsize_harness"), list[0].Args[len(list[0].Args)-1])
	require.Equal(t, "off", list[0].Proxy, "nothing is fetched")
}

// TestBuildWithoutCacheIsTemporary: where nothing can be kept, it lasts until it is closed.
func TestBuildWithoutCacheIsTemporary(t *testing.T) {
	temporary, empty := noTemporary(t)
	fakeGo(t, goScript{Build: "the program"})
	f := square(t)
	build := func() {
		t.Helper()
		b, err := f.Build(t.Context())
		require.NoError(t, err)
		require.False(t, b.Kept)
		require.True(t, strings.HasPrefix(b.Path, temporary))
		require.FileExists(t, b.Path)
		b.Close()
		empty()
	}
	dir := cacheIn(t)
	f.CgoFiles = []string{"calc.go"} // whose C files are not known
	build()
	require.NoDirExists(t, dir)
	f.CgoFiles = nil
	write(t, filepath.Dir(filepath.Dir(dir)), "") // a file where the cache would be
	build()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	build()
	new(Binary).Close() // of one that has nothing to remove
}

// TestFailedBuildSaysWhatTheCompilerSays, and leaves nothing.
func TestFailedBuildSaysWhatTheCompilerSays(t *testing.T) {
	dir := cacheIn(t)
	_, empty := noTemporary(t)
	fakeGo(t, goScript{FailBuild: true, BuildError: "calc.go:3: no\n\n"})
	f := square(t)
	_, err := f.Build(t.Context())
	refused(t, err, "calc.Square does not build with its harness:\ncalc.go:3: no")
	empty()
	require.NoDirExists(t, dir)

	f.Standard, f.plain = true, false
	_, err = f.Build(t.Context())
	require.ErrorContains(t, err, "is in the standard library")

	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	_, err = square(t).Build(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestBuildReplacesFilesByTheOverlay: the go command is given the harness's files in place of some in the user's
// tree, where none is written.
func TestBuildReplacesFilesByTheOverlay(t *testing.T) {
	calls := fakeGo(t, goScript{Build: "the program"})
	f := square(t)
	o, err := f.overlay()
	require.NoError(t, err)
	o.replace[filepath.Join(f.Dir, "other", "main.go")] = "package other" // of the same name as another one
	dir := t.TempDir()
	path, err := f.build(t.Context(), o, dir)
	require.NoError(t, err)
	name := "harness"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	require.Equal(t, filepath.Join(dir, name), path)
	call := calls()[0]
	require.Equal(t, []string{"build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, o.args[0]}, call.Args)
	raw, err := os.ReadFile(call.flag("-overlay"))
	require.NoError(t, err)
	var list struct{ Replace map[string]string }
	require.NoError(t, json.Unmarshal(raw, &list))
	require.Len(t, list.Replace, len(o.replace))
	for at, file := range list.Replace {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, o.replace[at], string(text))
		require.Equal(t, ".go", filepath.Ext(file))
	}
	require.Equal(t, []string{"calc.go"}, entries(t, f.Dir))

	_, err = f.build(t.Context(), o, filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	o.replace = nil
	_, err = f.build(t.Context(), o, filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKeptBuildDependsOnAllItIsMadeOf: whatever changes it gives it another name.
func TestKeptBuildDependsOnAllItIsMadeOf(t *testing.T) {
	dir := cacheIn(t)
	for _, name := range []string{"GOFLAGS", "CGO_ENABLED", "GOARCH", "GOEXPERIMENT"} {
		t.Setenv(name, "")
	}
	f := square(t)
	f.deps = map[string]*listed{"fmt": {Export: "/cache/1"}, "os": {Export: "/cache/2"}}
	write(t, filepath.Join(f.Dir, "more.go"), "package calc\n")
	other := filepath.Join(t.TempDir(), "absolute.go")
	write(t, other, "package calc\n")
	f.GoFiles = append(f.GoFiles, "more.go", other)
	o, err := f.overlay()
	require.NoError(t, err)
	seen := map[string]string{}
	differs := func(what string) {
		t.Helper()
		path := f.keptPath(o)
		require.Equal(t, dir, filepath.Dir(path), what)
		require.Equal(t, path, f.keptPath(o), "the same again")
		require.NotContains(t, seen, path, what)
		seen[path] = what
	}
	differs("the first")
	for _, name := range []string{"GOFLAGS", "CGO_ENABLED", "GOARCH", "GOEXPERIMENT"} {
		t.Setenv(name, "other")
		differs(name)
		t.Setenv(name, "")
	}
	f.options.Tags = "special"
	differs("tags")
	f.options = Options{Race: true}
	differs("the race detector")
	f.ImportPath += "/v2"
	differs("the path")
	f.deps["os"].Export = "/cache/3"
	differs("a dependency")
	f.deps["io"] = &listed{Export: "/cache/4"}
	differs("one more")
	o.replace["one"] = "text"
	differs("a file of the harness")
	o.replace["one"] = "other text"
	differs("its text")
	for _, path := range []string{filepath.Join(f.Dir, "calc.go"), filepath.Join(f.Dir, "more.go"), other} {
		write(t, path, "package calc\n\n// Changed.\n")
		differs(path)
	}
	f.GoFiles = f.GoFiles[:2]
	differs("a file less")
	require.NoError(t, os.Remove(filepath.Join(f.Dir, "more.go")))
	require.Empty(t, f.keptPath(o), "what can't be read")
	f.GoFiles = f.GoFiles[:1]
	f.Dir = filepath.Join(t.TempDir(), "calc")
	write(t, filepath.Join(f.Dir, "calc.go"), "package calc\n\n// Changed.\n")
	differs("the place")
}

// TestOldestBuildsAreRemoved: fifty are kept, the ones that were used last.
func TestOldestBuildsAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "harness")
	built := filepath.Join(t.TempDir(), "built")
	write(t, built, "the program")
	began := time.Now().Add(-24 * time.Hour)
	for i := range mostKept {
		path := filepath.Join(dir, fmt.Sprintf("%02d", (i*7)%mostKept)) // neither by name nor by its reverse
		write(t, path, "")
		require.NoError(t, os.Chtimes(path, began.Add(time.Duration(i)*time.Minute), began.Add(time.Duration(i)*time.Minute)))
	}
	require.NoError(t, keep(built, filepath.Join(dir, "00"))) // the oldest is replaced
	require.Len(t, entries(t, dir), mostKept)
	require.NoError(t, keep(built, filepath.Join(dir, "new")))
	names := entries(t, dir)
	require.Len(t, names, mostKept)
	require.NotContains(t, names, "07")
	require.Subset(t, names, []string{"00", "new", "14"})
	for i := range 3 {
		write(t, filepath.Join(dir, fmt.Sprintf("extra%d", i)), "")
	}
	require.NoError(t, keep(built, filepath.Join(dir, "newer")))
	names = entries(t, dir)
	require.Len(t, names, mostKept)
	require.Subset(t, names, []string{"00", "new", "newer", "extra0", "42"})
	for _, gone := range []string{"14", "21", "28", "35"} {
		require.NotContains(t, names, gone)
	}
}

// TestWhatCannotBeKeptIsTold: the caller then uses what it built.
func TestWhatCannotBeKeptIsTold(t *testing.T) {
	dir := t.TempDir()
	built := filepath.Join(dir, "built")
	require.ErrorIs(t, keep(built, filepath.Join(dir, "kept")), os.ErrNotExist)
	write(t, built, "the program")
	require.Error(t, keep(built, filepath.Join(built, "kept")), "a file is no folder")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "kept", "inside"), 0o700))
	require.Error(t, keep(built, filepath.Join(dir, "kept")), "a folder is in its place")
	blocked := filepath.Join(dir, fmt.Sprintf("other.%d", os.Getpid()))
	require.NoError(t, os.Mkdir(blocked, 0o700))
	require.Error(t, keep(built, filepath.Join(dir, "other")))
}

// TestGoCommandIsShownAndRunsInItsFolder: what runs is logged where that is asked for.
func TestGoCommandIsShownAndRunsInItsFolder(t *testing.T) {
	calls := fakeGo(t, goScript{List: "out", ListError: "err"})
	var log bytes.Buffer
	dir := t.TempDir()
	out, errs, err := Options{Verbose: &log, Dir: dir}.goCommand(t.Context(), "list", "./calc")
	require.NoError(t, err)
	require.Equal(t, "out", string(out))
	require.Equal(t, "err", string(errs))
	require.Equal(t, "  go list ./calc\n", log.String())
	real, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	require.Equal(t, real, calls()[0].Dir)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = Options{}.goCommand(ctx, "list")
	require.ErrorIs(t, err, context.Canceled)
	t.Setenv("PATH", dir)
	_, _, err = Options{}.goCommand(t.Context(), "list")
	refused(t, err, "a Go function needs the go command in PATH (run and http do not)")
}
