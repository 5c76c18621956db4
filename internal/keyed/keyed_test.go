package keyed_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/keyed"
)

// thing is a value that a test says is idle or spare.
type thing struct{ idle, spare bool }

func things(most int) *keyed.Map[int, *thing] {
	return keyed.New[int](most, func(int) *thing { return new(thing) },
		func(v *thing) bool { return v.idle }, func(v *thing) bool { return v.idle || v.spare })
}

// One value for each key, as long as somebody uses it or it is not idle.
func TestMap(t *testing.T) {
	m := things(3)
	a := m.Use(1)
	require.Same(t, a.Value, m.Use(1).Value)
	m.Done(a)
	a.Value.idle = true
	m.Done(m.Use(2))
	require.Equal(t, 2, m.Len(), "the one in use stays, the other is not idle")
	m.Done(a)
	require.Equal(t, 1, m.Len(), "it was dropped when nobody used it any more")
	require.NotSame(t, a.Value, m.Use(1).Value, "and made anew")
}

// There is room for so many keys, and for others when one of them may go.
func TestRoom(t *testing.T) {
	m := things(2)
	first, second := m.Use(1), m.Use(2)
	require.Nil(t, m.Use(3))
	require.NotNil(t, m.Use(1), "but for those that are there")
	m.Done(first)
	m.Done(first)
	require.Nil(t, m.Use(3), "not idle, nor spare")
	first.Value.spare = true
	require.NotNil(t, m.Use(3))
	require.Equal(t, 2, m.Len())
	require.Nil(t, m.Use(1))
	m.Done(second)
	_, ok := m.Free(func(*thing) time.Duration { return 0 })
	require.True(t, ok)
}

// Free tells when the first of those that nobody uses may go.
func TestFree(t *testing.T) {
	m := keyed.New[int](10, func(n int) int { return n }, func(int) bool { return false }, func(int) bool { return false })
	until := func(n int) time.Duration { return time.Duration(100 - n) }
	_, ok := m.Free(until)
	require.False(t, ok, "there is none")
	used := m.Use(1)
	_, ok = m.Free(until)
	require.False(t, ok, "all are in use")
	m.Done(m.Use(5))
	m.Done(m.Use(7))
	m.Done(m.Use(3))
	after, ok := m.Free(until)
	require.True(t, ok)
	require.EqualValues(t, 93, after)
	m.Done(used)
}

// Beside a model: a value is there as long as it is used, and never twice.
func TestMapModel(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 4))
		m := things(5)
		users := map[int][]*keyed.Entry[int, *thing]{}
		for range 500 {
			key := random.IntN(8)
			switch in := users[key]; {
			case random.IntN(2) == 0:
				e := m.Use(key)
				if e == nil {
					inUse := 0
					for _, u := range users {
						if len(u) > 0 {
							inUse++
						}
					}
					require.LessOrEqual(t, inUse, 5)
					require.Empty(t, in, "a key that is there can be used")
					break
				}
				if len(in) > 0 {
					require.Same(t, in[0].Value, e.Value)
				}
				users[key] = append(in, e)
			case len(in) > 0:
				last := in[len(in)-1]
				users[key] = in[:len(in)-1]
				last.Value.idle, last.Value.spare = random.IntN(2) == 0, random.IntN(2) == 0
				m.Done(last)
			}
			require.LessOrEqual(t, m.Len(), 5)
		}
	}
}

func TestMapIsSafe(t *testing.T) {
	m := things(1000)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 1000 {
				if e := m.Use((g + i) % 50); e != nil {
					m.Done(e)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, m.Len(), 50)
}
