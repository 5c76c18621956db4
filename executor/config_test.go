package executor_test

import (
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// A stream with a setting that is refused yields that, and nothing else.
func TestStreamOfARefusedSetting(t *testing.T) {
	cfg, fn := executor.Config{Workers: -1}, withContext(double)
	for name, stream := range map[string]iter.Seq[executor.Result[int, int]]{
		"items":             executor.Stream(t.Context(), fn, count(3), cfg),
		"items, no setting": executor.Stream(t.Context(), fn, nil, executor.Config{}),
		"with errors":       executor.StreamSeq2(t.Context(), fn, func(func(int, error) bool) {}, cfg),
		"no items":          executor.StreamSeq2(t.Context(), fn, nil, executor.Config{}),
	} {
		n := 0
		for r := range stream {
			n++
			require.Equal(t, -1, r.Index, name)
			require.ErrorIs(t, r.Err, executor.ErrConfig, name)
		}
		require.Equal(t, 1, n, name)
	}
}

// Each setting is refused from the first value on that is out of its range, or excludes another.
func TestBoundsOfSettings(t *testing.T) {
	plan := &optimizer.Plan{Workers: 1, ChunkSize: 1}
	for _, illegal := range []executor.Config{
		{Workers: -1}, {MaxWorkers: -1}, {MinWorkers: -1}, {ChunkSize: -1}, {MaxChunkSize: -1},
		{SampleSize: -1}, {SampleSize: sampling.MaxItems + 1}, {Window: -1}, {Window: 1<<20 + 1},
		{TargetChunk: -1}, {TargetChunk: executor.MaxTargetChunk + 1}, {MemoryLimit: 1}, {MemoryLimit: executor.MinMemoryLimit - 1},
		{ItemTimeout: -1}, {ProgressInterval: -1}, {Errors: -1}, {Errors: 2},
		{Workers: 2, MaxWorkers: 1}, {MinWorkers: 2, MaxWorkers: 1}, {MinWorkers: 1, Workers: 1},
		{ChunkSize: 1, TargetChunk: 1}, {ChunkSize: 1, MaxChunkSize: 1},
		{Plan: plan, Workers: 1}, {Plan: plan, SampleSize: 1},
		{Plan: &optimizer.Plan{ChunkSize: 1}}, {Plan: &optimizer.Plan{Workers: 1}},
	} {
		require.ErrorIs(t, illegal.Validate(), executor.ErrConfig, "%+v", illegal)
	}
	for _, legal := range []executor.Config{
		{}, {Workers: 1}, {MaxWorkers: 1}, {MinWorkers: 1}, {ChunkSize: 1}, {MaxChunkSize: 1},
		{SampleSize: 1}, {SampleSize: sampling.MaxItems}, {Window: 1}, {Window: 1 << 20},
		{TargetChunk: 1}, {TargetChunk: executor.MaxTargetChunk}, {MemoryLimit: executor.MinMemoryLimit},
		{ItemTimeout: 1}, {ProgressInterval: time.Nanosecond}, {Errors: executor.Collect},
		{Workers: 1, MaxWorkers: 1}, {MinWorkers: 1, MaxWorkers: 1}, {TargetChunk: 1, MaxChunkSize: 1},
		{Plan: plan}, {Plan: plan, MinWorkers: 1, MaxWorkers: 1, ChunkSize: 1},
	} {
		require.NoError(t, legal.Validate(), "%+v", legal)
	}
}
