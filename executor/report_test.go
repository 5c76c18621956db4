package executor

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Any time that a run took gives a rate.
func TestGoodputOfTheShortestRun(t *testing.T) {
	require.InDelta(t, 5e9, (&Report{Succeeded: 5, Elapsed: 1}).Goodput(), 1)
	require.Zero(t, (&Report{Succeeded: 5, Elapsed: -1}).Goodput(), "a clock went backwards")
}

// Items without a result are those not run and those that failed, wherever they are; no others are valid but given ones.
func TestWhichResultsAreValid(t *testing.T) {
	r := Report{Items: 10}
	r.setInvalid([]span{{Lo: 8, Hi: 9}, {Lo: 3, Hi: 4}}, []span{{Lo: 4, Hi: 6}, {Lo: 0, Hi: 1}})
	require.Equal(t, []int{3, 5}, []int{r.Failed, r.Succeeded})
	want := []bool{false, true, true, false, false, false, true, true, false, true}
	for i, valid := range want {
		require.Equal(t, valid, r.Valid(i), i)
	}
	require.False(t, r.Valid(-1))
	require.False(t, r.Valid(10))
	all := Report{Items: 1}
	require.True(t, all.Valid(0))
}

// A long error is cut, and ends with dots.
func TestLongErrorInAReport(t *testing.T) {
	text := Report{Err: errors.New(strings.Repeat("é", mostError) + "end")}.String()
	require.Contains(t, text, "  error     "+strings.Repeat("é", mostError)+"…\n")
	text = Report{Err: errors.New(strings.Repeat("é", mostError))}.String()
	require.Contains(t, text, "é\n")
	require.NotContains(t, text, "…")
}
