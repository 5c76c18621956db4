package concurrency

import (
	"context"
	"testing"
)

func BenchmarkAcquire(b *testing.B) {
	l := MustNew(Policy{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		p, _ := l.Acquire(ctx)
		p.Done(nil)
	}
}

func BenchmarkDo(b *testing.B) {
	l := MustNew(Policy{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	call := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Do(ctx, call)
	}
}
