package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

// The code of docs/streams.md.
func TestGuideOfStreams(t *testing.T) {
	fetch := func(_ context.Context, url string) (int, error) {
		if url == "nowhere" {
			return 0, errors.New("no such host")
		}
		return len(url), nil
	}
	require.NoError(t, printAll(t.Context(), fetch, slices.Values([]string{"a", "bb"})))
	require.ErrorContains(t, printAll(t.Context(), fetch, slices.Values([]string{"nowhere"})), "no such host")
	require.Equal(t, []int{2, 4}, doubled(t.Context(), "1\n2\n"))
	again, failed, err := collected(t.Context(), fetch, slices.Values([]string{"a", "nowhere"}))
	require.NoError(t, err)
	require.Empty(t, again)
	require.Equal(t, []string{"nowhere"}, failed)
	ended, end := context.WithCancel(t.Context())
	end()
	_, _, err = collected(ended, fetch, slices.Values([]string{"a"}))
	require.ErrorIs(t, err, context.Canceled)
}

func printAll(ctx context.Context, fetch func(context.Context, string) (int, error), urls iter.Seq[string]) error {
	for r := range amorsize.Stream(ctx, fetch, urls) { // urls is an iter.Seq[string]
		if r.Err != nil {
			return r.Err
		}
		fmt.Println(r.Item, r.Value)
	}
	return nil
}

func doubled(ctx context.Context, lines string) (values []int) {
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	file := strings.NewReader(lines)
	numbers := amorsize.Map(amorsize.Lines(file), strconv.Atoi)
	for r := range amorsize.StreamSeq2(ctx, double, numbers) {
		fmt.Println(r.Value, r.Err)
	}
	numbers = amorsize.Map(amorsize.Lines(strings.NewReader(lines)), strconv.Atoi)
	for r := range amorsize.StreamSeq2(ctx, double, numbers) {
		values = append(values, r.Value)
	}
	return values
}

func collected(ctx context.Context, fetch func(context.Context, string) (int, error), urls iter.Seq[string]) (again, failed []string, err error) {
	for r := range amorsize.Stream(ctx, fetch, urls, amorsize.WithErrors(amorsize.Collect), amorsize.WithUnordered()) {
		switch {
		case r.Err == nil:
			fmt.Println(r.Item, r.Value)
		case r.Index < 0:
			return again, failed, r.Err // of the input, or of ctx: it comes last
		case errors.Is(r.Err, amorsize.ErrNotRun):
			again = append(again, r.Item)
		default:
			failed = append(failed, r.Item)
		}
	}
	return again, failed, nil
}
