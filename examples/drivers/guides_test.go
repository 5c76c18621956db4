package drivers_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/guides"
)

// The programs here print what the guides say that they do.
func TestPrograms(t *testing.T) {
	programs, err := guides.Printing("../..", "*")
	require.NoError(t, err)
	require.Len(t, programs, 5)
	for folder, p := range programs {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			if folder == "postgres" && os.Getenv("DATABASE_URL") == "" {
				t.Skip("DATABASE_URL names no database: scripts/examples.sh starts one")
			}
			out, err := exec.CommandContext(t.Context(), "go", "run", "./"+folder).Output()
			require.NoError(t, err)
			assert.Equal(t, guides.Normalized(p.Output), guides.Normalized(string(out)))
		})
	}
}
