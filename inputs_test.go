package amorsize_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

// all returns what an input gives, and its error, which must be the last thing.
func all[T any](t *testing.T, items iter.Seq2[T, error]) (list []T, err error) {
	t.Helper()
	for item, e := range items {
		require.NoError(t, err, "nothing comes after an error")
		if err = e; err == nil {
			list = append(list, item)
		}
	}
	return list, err
}

// given yields the items, then the error if there is one.
func given[T any](err error, items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"":               nil,
		"\n":             {""},
		"a\nb":           {"a", "b"},
		"a\r\nb\r\n\r\n": {"a", "b", ""},
	} {
		list, err := all(t, amorsize.Lines(strings.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, want, list)
	}
	list, err := all(t, amorsize.Lines(io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(io.ErrUnexpectedEOF))))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, err, "amorsize: line 3: unexpected EOF")
	require.Equal(t, []string{"a", "b"}, list)
	list, err = all(t, amorsize.Lines(io.MultiReader(strings.NewReader("delete 1\ndelete 12"), iotest.ErrReader(io.ErrUnexpectedEOF))))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, []string{"delete 1"}, list, "and no half of a line")
	list, err = all(t, amorsize.Lines(strings.NewReader(strings.Repeat("x", amorsize.MaxLineBytes)+"\r\n")))
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = all(t, amorsize.Lines(io.MultiReader(strings.NewReader("a\n"), bytes.NewReader(make([]byte, amorsize.MaxLineBytes+1)))))
	require.ErrorContains(t, err, "amorsize: line 2: ")
	for range amorsize.Lines(strings.NewReader("a\nb\n")) {
		break
	}
}

func TestChannel(t *testing.T) {
	c := make(chan int, 3)
	c <- 1
	c <- 2
	close(c)
	list, err := all(t, amorsize.Channel(t.Context(), c))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, list)
	synctest.Test(t, func(t *testing.T) {
		late := errors.New("late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		_, err = all(t, amorsize.Channel(ctx, make(chan int)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, late)
	})
	c = make(chan int, 2)
	c <- 1
	for range amorsize.Channel(t.Context(), c) {
		break
	}
}

func TestMap(t *testing.T) {
	list, err := all(t, amorsize.Map(given(nil, "1", "2"), strconv.Atoi))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, list)
	list, err = all(t, amorsize.Map(given(nil, "1", "x", "3"), strconv.Atoi))
	require.ErrorIs(t, err, strconv.ErrSyntax)
	require.Equal(t, []int{1}, list)
	list, err = all(t, amorsize.Map(given(io.ErrUnexpectedEOF, "1"), strconv.Atoi))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, []int{1}, list)
	for range amorsize.Map(given(nil, "1", "2"), strconv.Atoi) {
		break
	}
}

func TestBatched(t *testing.T) {
	list, err := all(t, amorsize.Batched(given(nil, 1, 2, 3, 4, 5), 2, 0))
	require.NoError(t, err)
	require.Equal(t, [][]int{{1, 2}, {3, 4}, {5}}, list)
	list, err = all(t, amorsize.Batched(given[int](nil), 2, 0))
	require.NoError(t, err)
	require.Empty(t, list)
	list, err = all(t, amorsize.Batched(given(io.ErrUnexpectedEOF, 1, 2, 3), 2, time.Hour))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, [][]int{{1, 2}, {3}}, list, "what came before it is not lost")
	for _, bad := range []iter.Seq2[[]int, error]{amorsize.Batched(given(nil, 1), 0, 0), amorsize.Batched(given(nil, 1), 1, -1)} {
		_, err = all(t, bad)
		require.ErrorIs(t, err, amorsize.ErrConfig)
	}
}

// A batch waits for others so long, from its first item on, and no longer.
func TestBatchedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		var got [][]int
		for batch, err := range amorsize.Batched(func(yield func(int, error) bool) {
			for i, wait := range []int{0, 10, 300, 95, 10, 0, 0, 0, 500} {
				time.Sleep(time.Duration(wait) * time.Millisecond)
				if !yield(i, nil) {
					return
				}
			}
		}, 4, 100*time.Millisecond) {
			require.NoError(t, err)
			got, at = append(got, batch), append(at, time.Since(began)/time.Millisecond)
		}
		require.Equal(t, [][]int{{0, 1}, {2, 3}, {4, 5, 6, 7}, {8}}, got)
		require.Equal(t, []time.Duration{100, 410, 415, 915}, at)
	})
}

// A loop that is left has nothing running behind it, and a panic of the items is the loop's.
func TestBatchedEnds(t *testing.T) {
	ended := false
	for range amorsize.Batched(func(yield func(int, error) bool) {
		defer func() { ended = true }()
		for i := 0; yield(i, nil); i++ {
		}
	}, 3, time.Second) {
		break
	}
	require.True(t, ended)
	require.PanicsWithValue(t, "boom", func() {
		for range amorsize.Batched(func(func(int, error) bool) { panic("boom") }, 3, time.Second) {
		}
	})
	require.Panics(t, func() {
		for range amorsize.Batched(func(func(int, error) bool) { runtime.Goexit() }, 3, time.Second) {
		}
	})
}

// Each input ends its stream with its own error, after the results of what came before it.
func TestInputsOfStreams(t *testing.T) {
	lines := amorsize.Lines(io.MultiReader(strings.NewReader("1\n2\n3\n"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	sum := func(_ context.Context, batch []int) (int, error) {
		total := 0
		for _, n := range batch {
			total += n
		}
		return total, nil
	}
	var got []int
	var last error
	for r := range amorsize.StreamSeq2(t.Context(), sum, amorsize.Batched(amorsize.Map(lines, strconv.Atoi), 2, time.Minute)) {
		if last = r.Err; r.Err == nil {
			got = append(got, r.Value)
		}
	}
	require.ErrorIs(t, last, io.ErrUnexpectedEOF)
	require.Equal(t, []int{3, 3}, got)
	require.True(t, slices.IsSorted(got))
}
