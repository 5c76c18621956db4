package executor

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// brokenContext panics when it is asked for a session.
type brokenContext struct{ context.Context }

var errBrokenContext = errors.New("broken")

func (c brokenContext) Value(key any) any {
	if _, ok := key.(sessionKey); ok {
		panic(errBrokenContext)
	}
	return c.Context.Value(key)
}

// A panic beside the items, such as one of the caller's context, is raised in the loop, as that of no item.
func TestPanicBesideTheItemsOfAStream(t *testing.T) {
	defer func() {
		e, ok := recover().(*PanicError)
		require.True(t, ok)
		require.ErrorIs(t, e, errBrokenContext)
		require.Equal(t, -1, e.Index)
	}()
	fn := Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	for range Stream(brokenContext{t.Context()}, fn, slices.Values([]int{0, 1}), Config{Session: new(Session)}) {
	}
	t.Error("it did not panic")
}
