//go:build unix

package command_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/internal/answer"
)

// A worker of JSON never gets an item that JSON would change; one of lines gets the bytes.
func TestWorkerBytes(t *testing.T) {
	cfg := worker(`printf "%s\n" "$x"`)
	lines := runner(t, cfg, around(t))
	out, _, err := attempt(t, lines, job(1, "a\xff"), 0)
	require.NoError(t, err)
	require.Equal(t, "a\xff\n", out)

	cfg.Worker = command.JSONLWorker
	values := runner(t, cfg, around(t))
	_, _, err = attempt(t, values, job(1, "a\xff"), 0)
	require.ErrorContains(t, err, "item 1 is not UTF-8, which JSON can't hold")
	require.True(t, answer.Permanent(err))
	out, _, err = attempt(t, values, job(2, "b"), 0)
	require.NoError(t, err)
	require.Equal(t, "\"b\"\n", out)
}
