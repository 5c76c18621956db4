package amorsize_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/amorsize/amorsize"
)

// xorshift computes for n rounds of about a nanosecond.
//
//go:noinline
func xorshift(n int32) (int32, error) {
	s := uint32(n) | 1
	for range n {
		s ^= s << 13
		s ^= s >> 17
		s ^= s << 5
	}
	return int32(s), nil
}

// BenchmarkSmall compares inputs that are too small to gain anything with the
// loop: what Execute costs is the difference.
func BenchmarkSmall(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		items := make([]int32, n)
		for i := range items {
			items[i] = 30
		}
		b.Run(fmt.Sprintf("loop/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = plainLoop(xorshift, items)
			}
		})
		b.Run(fmt.Sprintf("execute/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = amorsize.Execute(xorshift, items)
			}
		})
	}
}

// BenchmarkWatched is what it costs to be told of a small run.
func BenchmarkWatched(b *testing.B) {
	items := make([]int, 10)
	for _, c := range []struct {
		name string
		opts []amorsize.Option
	}{
		{"nobody", nil},
		{"report", []amorsize.Option{amorsize.WithReport(new(amorsize.Report))}},
		{"progress", []amorsize.Option{amorsize.WithProgress(func(amorsize.Progress) {})}},
		{"observer", []amorsize.Option{amorsize.WithObserver(amorsize.ObserverFunc(func(amorsize.Event) {}))}},
		{"logger", []amorsize.Option{amorsize.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = amorsize.Execute(square, items, c.opts...)
			}
		})
	}
}

//go:noinline
func plainLoop[T, R any](fn func(T) (R, error), items []T) []R {
	out := make([]R, len(items))
	for i := range items {
		v, err := fn(items[i])
		if err != nil {
			return out
		}
		out[i] = v
	}
	return out
}
