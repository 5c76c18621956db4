package sampling

import (
	"math"
	"time"
)

// blockStats estimates the mean and the variation of single items from the
// times of blocks of items. A block's mean varies by σ²/k, so k times the
// squared deviation of each estimates σ²; the weighted form of Welford's
// update keeps that stable.
type blockStats struct {
	items, blocks int
	average       float64 // nanoseconds an item
	deviation     float64 // sum of k × squared deviation of block means
	latest        float64 // nanoseconds an item in the latest block
}

func (b *blockStats) add(k int, took time.Duration) {
	b.latest = float64(took) / float64(k)
	b.items += k
	b.blocks++
	delta := b.latest - b.average
	b.average += delta * float64(k) / float64(b.items)
	b.deviation += float64(k) * delta * (b.latest - b.average)
}

func (b *blockStats) cv() float64 {
	if b.blocks < 2 || b.average <= 0 {
		return 0
	}
	return math.Sqrt(b.deviation/float64(b.blocks-1)) / b.average
}
