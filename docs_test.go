package amorsize_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The code of docs/rate-limiting.md is that of ratelimit/guide_test.go, which is
// compiled and run; but for the imports, and the sketch of a chain of policies.
func TestGuideIsCompiled(t *testing.T) {
	guide, err := os.ReadFile("docs/rate-limiting.md")
	require.NoError(t, err)
	source, err := os.ReadFile("ratelimit/guide_test.go")
	require.NoError(t, err)
	var code strings.Builder
	for line := range strings.Lines(string(source)) {
		code.WriteString(strings.TrimPrefix(line, "\t"))
	}
	blocks := strings.Split(string(guide), "```go\n")[1:]
	compiled := 0
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if strings.HasPrefix(block, "import (") || strings.Contains(block, "fetch, items") {
			continue
		}
		compiled++
		assert.Contains(t, code.String(), block)
	}
	assert.Equal(t, 29, compiled)
}
