package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/optimizer"
)

// The size of batches is searched within what the caller says; a fixed number of workers is told of.
func TestNewBatchSizer(t *testing.T) {
	require.Nil(t, newBatchSizer(&Config{ChunkSize: 3}))
	for _, c := range []struct {
		cfg  Config
		want sizing.BatchBounds
	}{
		{Config{}, sizing.BatchBounds{Target: DefaultTargetBatch}},
		{Config{Workers: 1}, sizing.BatchBounds{Target: DefaultTargetBatch, Fixed: true}},
		{Config{TargetChunk: time.Second, MaxChunkSize: 7}, sizing.BatchBounds{Target: time.Second, Most: 7}},
		{Config{Plan: &optimizer.Plan{ChunkSize: 9}}, sizing.BatchBounds{Target: DefaultTargetBatch, Given: 9}},
	} {
		require.Equal(t, sizing.NewBatch(c.want), newBatchSizer(&c.cfg))
	}
}
