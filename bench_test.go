package amorsize_test

import (
	"fmt"
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
