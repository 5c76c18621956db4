package waiting_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

type listener struct {
	lines []waiting.Line
	ended []uint64
}

func (l *listener) HoldBegins(line waiting.Line) uint64 {
	l.lines = append(l.lines, line)
	return uint64(len(l.lines))
}

func (l *listener) HoldEnds(ticket uint64) { l.ended = append(l.ended, ticket) }

// Who listens by the context is told, with the ticket that it gave; nobody else is.
func TestHold(t *testing.T) {
	waiting.Begin(t.Context(), waiting.Line{}).End()
	waiting.Hold{}.End()

	var l listener
	ctx := context.WithValue(t.Context(), waiting.Key{}, &l)
	line := waiting.Line{Of: &l, OneOfMany: true}
	first := waiting.Begin(ctx, line)
	second := waiting.BeginWith(&l, waiting.Line{})
	require.Equal(t, []waiting.Line{line, {}}, l.lines)
	second.End()
	first.End()
	require.Equal(t, []uint64{2, 1}, l.ended)

	none := context.WithValue(t.Context(), waiting.Key{}, "not a listener")
	waiting.Begin(none, line).End()
	require.Len(t, l.lines, 2)
}
