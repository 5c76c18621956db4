package function_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/internal/answer"
)

// The function never gets an item that JSON would change, and no process is started for it.
func TestBytesThatAreNoText(t *testing.T) {
	r, servers := runner(function.JSONL, true)
	_, out, err := attempt(t, r, 4, "b", "a\xff")
	require.ErrorContains(t, err, "item 5 is not UTF-8")
	require.True(t, answer.Permanent(err))
	require.Contains(t, out, `{"n":5,"item64":"Yf8=","error":"item 5 is not UTF-8`)
	require.Empty(t, *servers)
	r.Close()
}
