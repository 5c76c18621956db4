package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLedger(t *testing.T) {
	var l ledger
	a, b := l.admit(false, 3), l.admit(false, 3)
	require.NotNil(t, a)
	require.NotNil(t, b)
	require.Nil(t, l.admit(false, 3), "two helpers and the caller: three cores")
	require.NotNil(t, l.admit(true, 3), "waiting helpers are counted apart")
	a.Add(-1)
	require.NotNil(t, l.admit(false, 3))
}

func TestLedgerBounds(t *testing.T) {
	var l ledger
	l.waiting.Store(maxWaitingHelpers - 1)
	require.NotNil(t, l.admit(true, 1))
	require.Nil(t, l.admit(true, 1))
	require.EqualValues(t, maxWaitingHelpers, l.waiting.Load(), "who is not admitted does not count")
	require.Nil(t, l.admit(false, 1), "one core is the caller's")
	require.Zero(t, l.computing.Load())
}
