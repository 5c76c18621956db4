package amorsize_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/guides"
)

// The code of a guide is that of a test, which is compiled and run; but for the imports,
// and the sketch of a chain of policies.
func TestGuidesAreCompiled(t *testing.T) {
	for guide, want := range map[string]struct {
		source string
		blocks int
	}{
		"docs/rate-limiting.md":   {"ratelimit/guide_test.go", 29},
		"docs/getting-started.md": {"getting_started_guide_test.go", 5},
		"docs/concurrency.md":     {"concurrency/guide_test.go", 7},
		"docs/http.md":            {"transport/guide_test.go", 2},
		"docs/model-apis.md":      {"guide_test.go", 2},
		"docs/journal.md":         {"journal_guide_test.go", 4},
		"docs/observability.md":   {"observability_guide_test.go", 5},
		"docs/remote.md":          {"remote/example_test.go", 1},
		"docs/retry.md":           {"retry/guide_test.go", 4},
		"docs/circuit-breaker.md": {"circuitbreaker/guide_test.go", 4},
		"docs/batches.md":         {"batches_guide_test.go", 4},
		"docs/streams.md":         {"streams_guide_test.go", 3},
		"docs/errors.md":          {"errors_guide_test.go", 2},
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

// The programs of the guides are those of examples, as they are. What they print is compared there.
func TestProgramsOfGuides(t *testing.T) {
	pages, err := guides.Files(".")
	require.NoError(t, err)
	known := 0
	for _, page := range pages {
		programs, err := guides.Programs(page)
		require.NoError(t, err)
		for _, p := range programs {
			known++
			assert.True(t, slices.ContainsFunc([]string{"examples/*", "examples/drivers/*", "remote/examples/*"},
				func(pattern string) bool { return p.Folder(pattern) != "" }), "%s: %.80s", page, p.Source)
		}
	}
	assert.Equal(t, 13, known)
	text, err := os.ReadFile("docs/recipes/testing.md")
	require.NoError(t, err)
	for _, file := range []string{"examples/billing/billing.go", "examples/billing/billing_test.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(text), "```go\n"+string(source)+"```", file)
	}
}

// A newcomer reads the front page to its end.
func TestFrontPageIsShort(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.LessOrEqual(t, strings.Count(string(text), "\n"), 150)
}

// The links of the guides lead to files, and to headings that are there.
func TestLinksOfGuides(t *testing.T) {
	pages, err := guides.Files(".")
	require.NoError(t, err)
	for _, guide := range pages {
		text, err := os.ReadFile(guide)
		require.NoError(t, err)
		prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose, -1) {
			target, heading, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := guide
			if target != "" {
				path = filepath.Join(filepath.Dir(guide), target)
				_, err := os.Stat(path)
				assert.NoError(t, err, guide)
			}
			if heading != "" {
				assert.Contains(t, headings(t, path), heading, guide)
			}
		}
	}
}

// headings are the anchors of a guide's headings, as GitHub makes them.
func headings(t *testing.T, guide string) (anchors []string) {
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		title := strings.TrimLeft(line, "#")
		if title == line {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))
		anchors = append(anchors, anchor)
	}
	return anchors
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
