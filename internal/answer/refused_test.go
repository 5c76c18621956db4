package answer_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// failed is a refusal among attempts that were not made.
type failed struct{ error }

func (failed) Ran() bool       { return false }
func (f failed) Unwrap() error { return f.error }

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		err     error
		after   time.Duration
		refused bool
	}{
		{nil, 0, false},
		{errDown, 0, false},
		{refusal(0), 0, true},
		{refusal(-1), 0, true},
		{refusal(2), 2, true},
		{word(2), 2, true},
		{fmt.Errorf("fetch: %w", refusal(2)), 2, true},
		{ran{refusal(2)}, 0, false},
		{failed{refusal(2)}, 2, true},
		{failed{errDown}, 0, false},
	} {
		after, refused := answer.Refused(c.err)
		require.Equal(t, c.after, after, "%v", c.err)
		require.Equal(t, c.refused, refused, "%v", c.err)
	}
}

// What is not made may be after what the refusal says, which is never below 0.
func TestNotMadeAfter(t *testing.T) {
	for _, c := range []struct {
		err     error
		after   time.Duration
		notMade bool
	}{
		{answer.Unmade(refusal(3)), 3, true},
		{answer.Unmade(refusal(0)), 0, true},
		{answer.Unmade(refusal(-1)), 0, true},
		{word(3), 3, true},
		{word(-1), 0, true},
		{refusal(3), 0, false},
		{errDown, 0, false},
	} {
		_, after, notMade := answer.NotMade(c.err)
		require.Equal(t, c.after, after, "%v", c.err)
		require.Equal(t, c.notMade, notMade, "%v", c.err)
	}
}

// A mark is put on a refusal that has none, once, and comes off again; all else stays as it is.
func TestMarks(t *testing.T) {
	for _, err := range []error{nil, errDown, ran{refusal(1)}, answer.Unmade(refusal(1)), answer.Made(refusal(1))} {
		require.Equal(t, err, answer.Unmade(err), "%v", err)
		require.Equal(t, err, answer.Made(err), "%v", err)
	}
	require.Equal(t, word(1), answer.Made(word(1)), "it knows")
	require.NotEqual(t, word(1), answer.Unmade(word(1)))
	for _, err := range []error{refusal(1), fmt.Errorf("fetch: %w", refusal(1))} {
		unmade := answer.Unmade(err)
		require.NotEqual(t, err, unmade)
		require.Equal(t, err, answer.Plain(unmade))
		require.Equal(t, err, errors.Unwrap(unmade))
		made := answer.Made(err)
		require.NotEqual(t, err, made)
		require.Equal(t, made, answer.Plain(made), "not the mark to be taken off")
		require.Equal(t, err, errors.Unwrap(made))
		require.Equal(t, err.Error(), unmade.Error())
		require.Equal(t, err.Error(), made.Error())
	}
}
