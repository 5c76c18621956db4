package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

type vector []float64

// embedder is a model as the guide has one.
type embedder struct{}

func (embedder) embed(_ context.Context, texts []string) ([]vector, error) {
	vectors := make([]vector, len(texts))
	for i, text := range texts {
		if text == "bad" {
			return nil, errors.New("bad text")
		}
		vectors[i] = vector{float64(len(text))}
	}
	return vectors, nil
}

// The code of docs/batches.md.
func TestGuideOfBatches(t *testing.T) {
	ctx, texts, model := t.Context(), []string{"a", "bb", "ccc"}, embedder{}

	embed := func(ctx context.Context, texts []string) ([]vector, error) {
		return model.embed(ctx, texts) // one result for each text, in their order
	}
	vectors, err := amorsize.ExecuteBatches(ctx, embed, texts, amorsize.WithMaxChunkSize(100)) // the service takes 100 at most
	require.NoError(t, err)
	require.Equal(t, []vector{{1}, {2}, {3}}, vectors)

	texts = []string{"a", "b", "bad", "c"}
	_, err = amorsize.ExecuteBatches(ctx, embed, texts, amorsize.WithErrors(amorsize.Collect), amorsize.WithChunkSize(2))
	if failed, ok := errors.AsType[*amorsize.BatchError](err); ok {
		fmt.Println(failed.Index, failed.Size) // 2 2
	}
	require.EqualValues(t, &amorsize.BatchError{Index: 2, Size: 2}, stripped(err))

	store := func(_ context.Context, rows []string) ([]int, error) {
		failed := map[int]error{}
		for i, row := range rows {
			if row == "" {
				failed[i] = errors.New("empty") // by the index in this batch
			}
		}
		if len(failed) > 0 {
			return make([]int, len(rows)), &amorsize.PartialError{Failed: failed}
		}
		return make([]int, len(rows)), nil
	}
	_, err = amorsize.ExecuteBatches(ctx, store, []string{"a", ""}, amorsize.WithErrors(amorsize.Collect))
	require.ErrorContains(t, err, "item 1: empty")

	input := strings.NewReader("1\n2\n3\n")
	var sizes []int
	batches := amorsize.Batched(amorsize.Lines(input), 2, time.Second)
	for r := range amorsize.StreamSeq2(ctx, store, batches) {
		fmt.Println(len(r.Item), r.Err) // 2 <nil>, then 1 <nil>
	}
	for rows := range amorsize.Batched(amorsize.Lines(strings.NewReader("1\n2\n3\n")), 2, time.Second) {
		sizes = append(sizes, len(rows))
	}
	require.Equal(t, []int{2, 1}, sizes)
}

// stripped is where a batch failed, without its cause.
func stripped(err error) *amorsize.BatchError {
	failed, ok := errors.AsType[*amorsize.BatchError](err)
	if !ok {
		return nil
	}
	return &amorsize.BatchError{Index: failed.Index, Size: failed.Size}
}
