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
	programs, err := guides.Printing("..", "*")
	require.NoError(t, err)
	require.Len(t, programs, 4)
	for folder, p := range programs {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "go", "run", "./"+folder).Output()
			require.NoError(t, err)
			assert.Equal(t, guides.Normalized(p.Output), guides.Normalized(string(out)))
		})
	}
}
