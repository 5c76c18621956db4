package invalid_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/invalid"
)

func TestError(t *testing.T) {
	err := &invalid.Error{Package: "retry", Field: "MaxRetries", Value: -2, Range: "at least 0"}
	require.EqualError(t, err, "retry: MaxRetries = -2: must be at least 0")
	require.ErrorIs(t, err, invalid.ErrInvalid)
}

func TestDuration(t *testing.T) {
	require.NoError(t, invalid.Duration("retry", "Delay", time.Duration(0)))
	require.NoError(t, invalid.Duration("retry", "Delay", time.Duration(1)))
	require.EqualError(t, invalid.Duration("retry", "Delay", time.Duration(-1)),
		"retry: Delay = -1ns: must be above 0, or 0 for the default")
}
