package examples_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/guides"
)

// The programs here print what the guides say that they do.
func TestPrograms(t *testing.T) {
	pages, err := guides.Files("..")
	require.NoError(t, err)
	ran := 0
	for _, page := range pages {
		programs, err := guides.Programs(page)
		require.NoError(t, err)
		for _, p := range programs {
			folder := p.Folder("*")
			if folder == "" || p.Output == "" {
				continue
			}
			ran++
			t.Run(folder, func(t *testing.T) {
				t.Parallel()
				out, err := exec.CommandContext(t.Context(), "go", "run", "./"+folder).Output()
				require.NoError(t, err)
				assert.Equal(t, guides.Normalized(p.Output), guides.Normalized(string(out)), page)
			})
		}
	}
	assert.Equal(t, 4, ran)
}
