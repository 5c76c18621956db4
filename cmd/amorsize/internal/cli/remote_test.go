package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A flag of the command that is run is not taken for one of amorsize.
func TestOfRemote(t *testing.T) {
	for line, want := range map[string]bool{
		"": false, "run": false, "run echo": false, "run -- ssh --on": false, "run ssh --on host": false, "history --on x": false,
		"run --only": false, "http --on x": true, "run --on=x": true, "exec --on x f": true, "doctor --on x": true,
		"worker": true, "runs list": true, "migrate": true,
	} {
		assert.Equal(t, want, ofRemote(strings.Fields(line)), line)
	}
}
