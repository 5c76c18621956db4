package output

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
)

// named returns names of a template in a directory, and what they tell.
func named(t *testing.T, text string) (n *Names, dir string, base func(items.Item) string, told func() string) {
	t.Helper()
	dir = t.TempDir()
	o, written := open(t, Config{Results: filepath.Join(dir, text)})
	base = func(it items.Item) string {
		t.Helper()
		require.NoError(t, o.Names().Claim(it))
		name, err := o.Names().of(it)
		require.NoError(t, err)
		relative, err := filepath.Rel(dir, name)
		require.NoError(t, err)
		return relative
	}
	return o.Names(), dir, base, func() string { _, errs := written(); return errs }
}

func TestNames(t *testing.T) {
	_, _, base, told := named(t, "{}.out")
	require.Equal(t, "a.out", base(items.Of(1, "a")))
	require.Equal(t, "b.c.out", base(items.Of(2, "b.c")))
	require.Empty(t, told())
	require.Equal(t, "a~3.out", base(items.Of(3, "a")), "a name that repeats has the item's number")
	require.Contains(t, told(), "the item's number where a name repeats")
	require.Equal(t, "A~4.out", base(items.Of(4, "A")), "capital letters may make no difference")
	require.Equal(t, 1, strings.Count(told(), "\n"), "told once")
}

// What can't be a part of a name is replaced, and a hash keeps apart what that makes the same.
func TestNamesOfAnything(t *testing.T) {
	_, _, base, told := named(t, "{}.out")
	names := map[string]string{}
	texts := []string{"a/b", `a\b`, "a_b", "..", ".", "", "/", "_", "x\x00y", strings.Repeat("ä", 200), strings.Repeat("ä", 200) + "b", "a~1", "a~0", "\xff\xfe" + strings.Repeat("z", 300)}
	for i, text := range texts {
		name := base(items.Of(i+1, text))
		require.Equal(t, ".", filepath.Dir(name), "%q", text)
		require.LessOrEqual(t, len(name), 255, "%q", text)
		require.NotContains(t, names, strings.ToLower(name), "%q", text)
		names[strings.ToLower(name)] = text
	}
	require.Contains(t, told(), "a hash is added")
	for text, want := range map[string]string{
		"a/b": "^a_b~[0-9a-f]{16}$", "..": `^_\.\.~[0-9a-f]{16}$`, ".": `^_\.~[0-9a-f]{16}$`, "": "^_~[0-9a-f]{16}$",
		strings.Repeat("x", 200): "^x{200}$", strings.Repeat("x", 201): "^x{180}~[0-9a-f]{16}$",
		"x\x00y": "^x_y~[0-9a-f]{16}$", "x\x01y": "^x\x01y$",
	} {
		require.Regexp(t, want, fileName(text))
	}
	_, _, base, _ = named(t, "{}"+strings.Repeat("y", 20))
	require.Len(t, base(items.Of(1, strings.Repeat("x", 200))), 220, "what is around an item may make it longer")
	_, _, base, _ = named(t, "{}"+strings.Repeat("y", 21))
	require.Len(t, base(items.Of(1, strings.Repeat("x", 200))), 197, "but not by more")
}

// A name with its number added is nobody else's, whatever items are called.
func TestNamesNeverRepeat(t *testing.T) {
	_, _, base, _ := named(t, "{}")
	seen := map[string]int{}
	for n := 1; n <= 300; n++ {
		text := []string{"a", fmt.Sprintf("a~%d", n+1), "a.err", "a.out", fmt.Sprintf("a~%d~%d", n, n)}[n%5]
		name := base(items.Of(n, text))
		require.Zero(t, seen[name], "%s of item %d is item %d's", name, n, seen[name])
		seen[name] = n
	}
}

// An item of the past keeps its file, in whatever order the items run again.
func TestNamesOfThePast(t *testing.T) {
	names, dir, base, _ := named(t, "{}.out")
	first, second := items.Of(1, "a"), items.Of(2, "a")
	names.Keep(first.Identity(), 1, filepath.Join(dir, "a.out"), false)
	names.Keep(second.Identity(), 2, filepath.Join(dir, "a~2.out"), true)
	require.Equal(t, "a~2.out", base(second))
	require.Equal(t, "a.out", base(first))

	names, dir, base, _ = named(t, "{}.out")
	names.Keep(first.Identity(), 1, filepath.Join(dir, "a.out"), false)
	require.Equal(t, "a.out", base(items.Of(9, "a")), "the same item by another number takes the file of its failure")

	names, dir, base, _ = named(t, "{}.out")
	names.Keep(first.Identity(), 1, filepath.Join(dir, "a.out"), true)
	require.Equal(t, "a~9.out", base(items.Of(9, "a")), "but not that of a success")

	names, dir, base, _ = named(t, "{}.out")
	names.Keep(first.Identity(), 1, filepath.Join(dir, "a.out"), false)
	names.Keep(first.Identity(), 1, filepath.Join(dir, "a.out"), true)
	require.Equal(t, "a~9.out", base(items.Of(9, "a")), "of one that failed at first")
}

// The file of a failure goes to one item only: to its own, or to an identical one.
func TestNamesOfAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		text, file  string
		then, after items.Item
		want        [2]string
	}{
		"its own first":           {"{}.out", "a.out", items.Of(1, "a"), items.Of(9, "a"), [2]string{"a.out", "a~9.out"}},
		"two by other numbers":    {"{}.out", "a.out", items.Of(9, "a"), items.Of(10, "a"), [2]string{"a.out", "a~10.out"}},
		"another item":            {"{.}.out", "b.out", items.Of(9, "b.c"), items.Of(1, "a"), [2]string{"b~9.out", "a.out"}},
		"one with the error file": {"{}", "b.out", items.Of(9, "b"), items.Of(10, "b.err"), [2]string{"b~9", "b~10.err"}},
	} {
		t.Run(name, func(t *testing.T) {
			names, dir, base, _ := named(t, c.text)
			names.Keep(items.Of(1, "a").Identity(), 1, filepath.Join(dir, c.file), false)
			require.Equal(t, c.want, [2]string{base(c.then), base(c.after)})
		})
	}
}

// Two items of the past keep their files, also where the files beside them had the same name.
func TestNamesOfThePastBeside(t *testing.T) {
	names, dir, base, _ := named(t, "{}")
	first, second := items.Of(1, "a"), items.Of(2, "a.out")
	for _, it := range []items.Item{first, second} {
		names.Keep(it.Identity(), it.N, filepath.Join(dir, it.Text), false)
	}
	require.Equal(t, "a", base(first))
	require.Equal(t, "a.out", base(second))
}

// Files are of items, whatever slot these ran in.
func TestNamesOfNoSlot(t *testing.T) {
	_, _, base, _ := named(t, "{%}-{}.out")
	require.Equal(t, "0-a.out", base(items.Of(1, "a")))
}

func TestNamesReserved(t *testing.T) {
	names, dir, _, _ := named(t, "{}")
	names.Reserve([]outfile.Reserved{{Path: filepath.Join(dir, "run.jsonl"), What: "which is the log"}})
	require.NoError(t, names.Claim(items.Of(1, "run")))
	require.ErrorContains(t, names.Claim(items.Of(2, "run.jsonl")), "run.jsonl, which is the log")
}
