package amorsize_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The code of a guide is that of a test, which is compiled and run; but for the imports,
// and the sketch of a chain of policies.
func TestGuidesAreCompiled(t *testing.T) {
	for guide, want := range map[string]struct {
		source string
		blocks int
	}{
		"docs/rate-limiting.md": {"ratelimit/guide_test.go", 29},
		"docs/concurrency.md":   {"concurrency/guide_test.go", 7},
		"docs/http.md":          {"transport/guide_test.go", 2},
		"docs/model-apis.md":    {"guide_test.go", 2},
		"docs/journal.md":       {"journal_guide_test.go", 4},
		"docs/observability.md": {"observability_guide_test.go", 5},
		"docs/remote.md":        {"remote/example_test.go", 1},
	} {
		text, err := os.ReadFile(guide)
		require.NoError(t, err)
		source, err := os.ReadFile(want.source)
		require.NoError(t, err)
		code := unindented(string(source))
		compiled := 0
		for _, block := range strings.Split(string(text), "```go\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			if strings.HasPrefix(block, "import (") || strings.HasPrefix(block, "// Command ") || strings.Contains(block, "fetch, items") {
				continue
			}
			compiled++
			assert.Contains(t, code, block, guide)
		}
		assert.Equal(t, want.blocks, compiled, guide)
	}
}

// The programs of the guides are examples, which CI runs.
func TestProgramsOfGuides(t *testing.T) {
	for guide, program := range map[string]string{
		"docs/http.md":       "examples/fetch/main.go",
		"docs/model-apis.md": "examples/modelapi/main.go",
		"docs/journal.md":    "examples/resume/main.go",
		"docs/remote.md":     "remote/examples/durable/main.go",
	} {
		text, err := os.ReadFile(guide)
		require.NoError(t, err)
		source, err := os.ReadFile(program)
		require.NoError(t, err)
		assert.Contains(t, string(text), "```go\n"+string(source)+"```", guide)
	}
}

// unindented returns the code at each depth of indentation.
func unindented(source string) string {
	var code strings.Builder
	for range 3 {
		for line := range strings.Lines(source) {
			code.WriteString(line)
		}
		lines := strings.Split(source, "\n")
		for i, line := range lines {
			lines[i] = strings.TrimPrefix(line, "\t")
		}
		source = strings.Join(lines, "\n")
	}
	return code.String()
}
