package ratelimit

import ("testing";"context";"sync";"time";"sync/atomic")

func BenchmarkMillion(b *testing.B) {
	l := MustNew(Policy{RequestsPerSecond: 1e6, BurstSize: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ctx2, c2 := context.WithCancel(context.Background())
	defer c2()
	go func() { <-ctx.Done(); c2() }()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 64 { wg.Go(func() { k := int64(0); for l.Acquire(ctx2) == nil { k++ }; n.Add(k) }) }
	wg.Wait()
	b.ReportMetric(float64(n.Load())/2e6, "used")
}
