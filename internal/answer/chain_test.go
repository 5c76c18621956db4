package answer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// refusal is a policy's, and word that of a function about itself.
type (
	refusal time.Duration
	word    time.Duration
)

func (refusal) Error() string            { return "refused" }
func (r refusal) Refused() time.Duration { return time.Duration(r) }
func (refusal) ByPolicy()                {}

func (word) Error() string            { return "not made" }
func (r word) Refused() time.Duration { return time.Duration(r) }

// ran is what retries return that were refused in the end.
type ran struct{ error }

func (ran) Ran() bool       { return true }
func (r ran) Unwrap() error { return r.error }

func TestNotMade(t *testing.T) {
	for _, c := range []struct {
		name          string
		err           error
		refused, made bool
	}{
		{"nil", nil, false, true},
		{"a failure", errors.New("down"), false, true},
		{"of a policy within the function", refusal(1), true, true},
		{"and wrapped", fmt.Errorf("fetch: %w", refusal(1)), true, true},
		{"of a policy of the chain", answer.Unmade(refusal(1)), true, false},
		{"through a policy of the user's", fmt.Errorf("logged: %w", answer.Unmade(refusal(1))), true, false},
		{"marked twice", answer.Unmade(answer.Unmade(refusal(1))), true, false},
		{"no refusal, marked", answer.Unmade(errors.New("down")), false, true},
		{"the function's own", word(1), true, false},
		{"the function's own, marked as made", answer.Made(word(1)), true, false},
		{"the function's own of another's", fmt.Errorf("%w: %w", word(1), refusal(1)), true, false},
		{"made, and marked later", answer.Unmade(answer.Made(refusal(1))), true, true},
		{"after an attempt", answer.Unmade(ran{refusal(1)}), false, true},
	} {
		_, refused := answer.Refused(c.err)
		require.Equal(t, c.refused, refused, c.name)
		rest, after, notMade := answer.NotMade(c.err)
		require.Equal(t, c.made, !notMade, c.name)
		require.Equal(t, notMade, after == 1, c.name)
		if c.err != nil {
			require.Equal(t, c.err.Error(), rest.Error())
		}
	}
	require.Equal(t, refusal(1), answer.Plain(answer.Unmade(refusal(1))), "the mark comes off")
}

func TestChain(t *testing.T) {
	var c answer.Chain
	var returns, refuses error
	call := c.Call(func(context.Context) error { return returns })
	link := c.Link(func(ctx context.Context) error {
		if refuses != nil {
			return refuses
		}
		return call(ctx)
	})
	notMade := func() bool {
		_, _, notMade := answer.NotMade(link(t.Context()))
		return notMade
	}
	require.False(t, notMade())
	returns = refusal(0)
	require.False(t, notMade(), "the function ran")
	returns = answer.Unmade(refusal(0))
	require.True(t, notMade(), "the function is a chain of its own")
	refuses = refusal(0)
	require.True(t, notMade())
	refuses = errors.New("a policy that gives no reason")
	require.False(t, notMade())
}

// A mark is put on once, whatever the links, and a policy in between may put another
// refusal in the place of one of a call that was not made.
func TestChainMarksOnce(t *testing.T) {
	var c answer.Chain
	var returns error
	call := c.Call(func(context.Context) error { return returns })
	inner := c.Link(call)
	outer := c.Link(inner)
	instead := c.Link(func(ctx context.Context) error { _ = inner(ctx); return refusal(2) })

	require.NoError(t, outer(t.Context()))
	returns = refusal(1)
	require.Equal(t, refusal(1), outer(t.Context()), "the function ran")
	require.Equal(t, refusal(2), instead(t.Context()), "the function ran")
	returns = answer.Unmade(refusal(1))
	require.Equal(t, returns, outer(t.Context()))
	require.Equal(t, answer.Unmade(refusal(2)), instead(t.Context()))

	refuse := c.Link(func(context.Context) error { return refusal(3) })
	twice := c.Link(refuse)
	require.Equal(t, refusal(3), answer.Plain(twice(t.Context())))
	none := c.Link(func(context.Context) error { return errDown })
	require.Equal(t, errDown, none(t.Context()))
}

type user struct{ _ string } // a type that is no number

// around passes on what next returns, and whether that is not made.
func around[T, R any](told *bool) func(context.Context, T, answer.Func[T, R]) (R, error) {
	return func(ctx context.Context, item T, next answer.Func[T, R]) (R, error) {
		result, err := next(ctx, item)
		err, _, *told = answer.NotMade(err)
		return result, err
	}
}

func testWrap[T, R any](t *testing.T) {
	var item T
	var none R
	var inner, outer bool
	failing := func(err error) answer.Func[T, R] {
		return func(context.Context, T) (R, error) { return none, err }
	}
	refusing := func(ctx context.Context, item T, _ answer.Func[T, R]) (R, error) { return none, refusal(0) }

	_, err := answer.Wrap(answer.Wrap(failing(refusal(0)), around[T, R](&inner)), around[T, R](&outer))(t.Context(), item)
	require.ErrorIs(t, err, refusal(0))
	require.False(t, inner || outer, "from within the function")

	links := answer.Wrap(answer.Wrap(failing(nil), refusing), around[T, R](&inner))
	_, err = answer.Wrap(links, around[T, R](&outer))(t.Context(), item)
	require.Equal(t, refusal(0), err)
	require.True(t, inner && outer, "a link refused")

	own := func(ctx context.Context, item T) (R, error) { return links(ctx, item) }
	_, err = answer.Wrap(own, around[T, R](&outer))(t.Context(), item)
	require.ErrorIs(t, err, refusal(0))
	require.True(t, inner && !outer, "a function lies between")

	_, err = answer.Linked(links)(t.Context(), item)
	_, _, outer = answer.NotMade(err)
	require.True(t, outer)
	_, err = answer.Linked(own)(t.Context(), item)
	_, _, outer = answer.NotMade(err)
	require.False(t, outer)
}

// Decorators are known for what they are with any types.
func TestWrap(t *testing.T) {
	testWrap[int, string](t)
	testWrap[string, int](t)
	testWrap[*user, user](t)
	testWrap[user, *strings.Builder](t)
	testWrap[[]user, []error](t)
	testWrap[map[string]*user, any](t)
	testWrap[struct{}, func()](t)
	require.Nil(t, answer.Linked[int, int](nil))
}

// A policy's refusal is no loss of the service's, also if it is a deadline's.
func TestRefusalsAreNoLosses(t *testing.T) {
	lost, throttled := answer.Lost(fmt.Errorf("%w: %w", refusal(0), context.DeadlineExceeded))
	require.False(t, lost || throttled)
	lost, _ = answer.Lost(context.DeadlineExceeded)
	require.True(t, lost)
}
