package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inLine is a policy that has a line for each key, and says what one would wait in it.
type inLine struct {
	passing
	line func(int) uint64
	wait func(int) time.Duration
}

func (l inLine) Line(item *int) uint64        { return l.line(*item) }
func (l inLine) Wait(item *int) time.Duration { return l.wait(*item) }

// Where several policies have lines, items that differ for one of them are in another line, and wait for the
// longest of them.
func TestLinesOfPolicies(t *testing.T) {
	items := []int{11, 21, 12, 11, 0}
	tens := inLine{line: func(i int) uint64 { return uint64(i / 10) }, wait: func(i int) time.Duration { return time.Duration(i / 10) }}
	ones := inLine{line: func(i int) uint64 { return uint64(i % 10) }, wait: func(i int) time.Duration { return time.Duration(i % 10) }}
	panics := inLine{line: func(i int) uint64 { return uint64(1 / i) }, wait: func(i int) time.Duration { return time.Duration(1 / i) }}
	at := func(i int) *int { return &items[i] }
	require.Nil(t, linesOf([]Policy{passing{}}, at), "none has lines")

	l := linesOf([]Policy{tens, passing{}, ones}, at)
	lines := map[uint64]int{}
	for i := range items {
		line, ok := l.Of(i)
		require.True(t, ok)
		lines[line]++
	}
	require.Len(t, lines, 4)
	first, _ := l.Of(0)
	again, _ := l.Of(3)
	require.Equal(t, first, again)
	require.EqualValues(t, 2, l.Wait(1))
	require.EqualValues(t, 2, l.Wait(2))

	l = linesOf([]Policy{tens, panics}, at)
	_, ok := l.Of(0)
	require.True(t, ok)
	_, ok = l.Of(4)
	require.False(t, ok, "the panic occurs again within the call")
	require.Zero(t, l.Wait(4))
}

// Items that differ in any bit of a key, of any policy, wait in lines of their own.
func TestLinesDifferInAnyBit(t *testing.T) {
	items := make([]int, 64)
	for i := range items {
		items[i] = i
	}
	bit := inLine{line: func(i int) uint64 { return uint64(1) << i }}
	plain := inLine{line: func(int) uint64 { return 3 }}
	for at := range 3 {
		policies := []Policy{plain, plain, plain}
		policies[at] = bit
		l := linesOf(policies, func(i int) *int { return &items[i] })
		seen := map[uint64]int{}
		for i := range items {
			line, ok := l.Of(i)
			require.True(t, ok)
			seen[line]++
		}
		require.Len(t, seen, len(items), "policy %d", at)
	}
}

// An item whose key panics is held back by no line, not even by one that was asked before: its call will panic.
func TestNoWaitWhereAKeyPanics(t *testing.T) {
	items := []int{7}
	long := inLine{line: func(int) uint64 { return 5 }, wait: func(int) time.Duration { return time.Hour }}
	panics := inLine{line: func(int) uint64 { panic("odd") }, wait: func(int) time.Duration { panic("odd") }}
	l := linesOf([]Policy{long, panics}, func(i int) *int { return &items[i] })
	_, ok := l.Of(0)
	require.False(t, ok)
	require.Zero(t, l.Wait(0))
}
