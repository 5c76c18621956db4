package executor_test

import (
	"context"
	"testing"

	"github.com/amorsize/amorsize/executor"
)

func BenchmarkStream(b *testing.B) {
	fn := executor.Func[int, int]{Context: func(_ context.Context, i int) (int, error) { return i * 3, nil }}
	for name, un := range map[string]bool{"ordered": false, "unordered": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range executor.Stream(b.Context(), fn, func(y func(int) bool) {
				for i := range b.N {
					if !y(i) {
						return
					}
				}
			}, executor.Config{Unordered: un}) {
			}
		})
		b.Run("small/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				for range executor.Stream(b.Context(), fn, func(y func(int) bool) {
					for i := range 10 {
						if !y(i) {
							return
						}
					}
				}, executor.Config{Unordered: un}) {
				}
			}
		})
	}
}
