package guides_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/guides"
)

const page = "# A page\n\n```sh\ngo run .\n```\n```text\nhello\n```\n\n```go\n// Command hello greets.\npackage main\n```\n\n```go\nx := 1\n```\n"

func TestPrograms(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "docs", "recipes"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "README.md"), []byte("# Front page\n"), 0o600))
	guide := filepath.Join(root, "docs", "recipes", "hello.md")
	require.NoError(t, os.WriteFile(guide, []byte(page), 0o600))

	files, err := guides.Files(root)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(root, "README.md"), guide}, files)
	blocks, err := guides.Blocks(guide)
	require.NoError(t, err)
	assert.Equal(t, []guides.Block{
		{"sh", "go run .\n"}, {"text", "hello\n"}, {"go", "// Command hello greets.\npackage main\n"}, {"go", "x := 1\n"},
	}, blocks)
	programs, err := guides.Programs(guide)
	require.NoError(t, err)
	assert.Equal(t, []guides.Program{{Source: "// Command hello greets.\npackage main\n", Output: "hello\n"}}, programs)
	assert.Empty(t, programs[0].Folder(filepath.Join(root, "*")))
	require.NoError(t, os.WriteFile(filepath.Join(root, "docs", "main.go"), []byte(programs[0].Source), 0o600))
	assert.Equal(t, filepath.Join(root, "docs"), programs[0].Folder(filepath.Join(root, "*")))
	printing, err := guides.Printing(root, filepath.Join(root, "*"))
	require.NoError(t, err)
	assert.Equal(t, map[string]guides.Program{filepath.Join(root, "docs"): programs[0]}, printing)
}

func TestNormalized(t *testing.T) {
	for one, other := range map[string]string{
		"  predicted 2s, measured 3s\n": "  at best   2s, measured 3s\n",
		"took 1.2s\n":                   "took 350ms\n",
		"300 of 300 items in 3.09s (97.1 items/s)\n  waited    1m0.1s for it\n": "300 of 300 items in 2s (1.2 million items/s)\n  waited    9s for it\n",
	} {
		assert.Equal(t, guides.Normalized(one), guides.Normalized(other))
	}
	assert.NotEqual(t, guides.Normalized("3 rows\n"), guides.Normalized("4 rows\n"))
	assert.NotEqual(t, guides.Normalized("  bound by  items\n"), guides.Normalized("  faster    with items\n"))
}
