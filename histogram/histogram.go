// Package histogram counts durations in exponential buckets, so that a quantile is exact to 1 %
// over fourteen orders of magnitude, and so that what it counts can be handed to Prometheus
// (native histograms) and OpenTelemetry (exponential histograms) as it is: both know buckets
// whose bounds are powers of 2^(1/2^schema) seconds, and a coarser schema is had by adding
// neighbours. That is why it is no HDR histogram, whose buckets are linear within a doubling.
package histogram

import (
	"iter"
	"math"
	"time"
)

// Schema is how fine the buckets are: 2^Schema of them for each doubling, 1.1 % wide.
const Schema = 6

const (
	perOctave = 1 << Schema
	first     = -30 // the octave of the first bucket: durations up to 2^-30 s, under 1 ns
	octaves   = 44  // up to 2^14 s, four and a half hours; what is longer is in the last bucket
)

// Histogram counts durations. The zero value is empty; it takes 512 bytes for each octave in
// which there is any. It is not safe for concurrent use.
type Histogram struct {
	counts   [octaves]*[perOctave]int64
	n        int64
	sum      float64 // nanoseconds
	squares  float64
	min, max time.Duration
}

// Add counts n durations of d; those below 1 ns as 1 ns.
func (h *Histogram) Add(d time.Duration, n int) {
	if n <= 0 {
		return
	}
	d = max(1, d)
	at := min(bucket(d)-first*perOctave, octaves*perOctave-1)
	octave := h.counts[at>>Schema]
	if octave == nil {
		octave = new([perOctave]int64)
		h.counts[at>>Schema] = octave
	}
	octave[at&(perOctave-1)] += int64(n)
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n += int64(n)
	h.sum += float64(n) * float64(d)
	h.squares += float64(n) * float64(d) * float64(d)
}

// bucket returns the index of the bucket that d is in: the i for which it is above
// 2^((i-1)/2^Schema) seconds and at most 2^(i/2^Schema).
func bucket(d time.Duration) int {
	return int(math.Ceil(perOctave * math.Log2(float64(d)/float64(time.Second))))
}

// Count returns how many durations there are.
func (h *Histogram) Count() int64 { return h.n }

// Sum returns what they add up to; the longest duration there is if it is more.
func (h *Histogram) Sum() time.Duration {
	if h.sum >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(h.sum)
}

// Mean returns their mean, 0 if there are none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}

// Min and Max return the shortest and the longest one, 0 if there are none.
func (h *Histogram) Min() time.Duration { return h.min }

// Max is described at [Histogram.Min].
func (h *Histogram) Max() time.Duration { return h.max }

// Variation returns the coefficient of variation: the standard deviation in means.
func (h *Histogram) Variation() float64 {
	if h.n == 0 {
		return 0
	}
	mean := h.sum / float64(h.n)
	return math.Sqrt(max(0, h.squares/float64(h.n)-mean*mean)) / mean
}

// Quantile returns what a share q of the durations, 0 to 1, is not longer than, to 1 %; 0 if
// there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank, seen := int64(math.Ceil(q*float64(h.n))), int64(0)
	for i, n := range h.Buckets(Schema) {
		if seen += n; seen >= rank {
			middle := math.Exp2((float64(i)-0.5)/perOctave) * float64(time.Second)
			return min(max(time.Duration(middle), h.min), h.max)
		}
	}
	return h.max
}

// Buckets yields, in order, the index of each bucket that is not empty and how many durations
// are in it. Bucket i has those above 2^((i-1)/2^schema) seconds and up to 2^(i/2^schema). The
// schema is 0 to [Schema].
func (h *Histogram) Buckets(schema int) iter.Seq2[int, int64] {
	shift := Schema - schema
	return func(yield func(int, int64) bool) {
		latest, n := 0, int64(0)
		for k, octave := range h.counts {
			if octave == nil {
				continue
			}
			for j, count := range octave {
				if count == 0 {
					continue
				}
				i := (first+k)<<Schema + j
				i = (i + 1<<shift - 1) >> shift // the bounds above are the same: rounded up
				if n > 0 && i != latest {
					if !yield(latest, n) {
						return
					}
					n = 0
				}
				latest, n = i, n+count
			}
		}
		if n > 0 {
			yield(latest, n)
		}
	}
}

// Since returns what was counted after before, an earlier copy. Its shortest and longest duration
// are not known: they are the bounds of its buckets.
func (h *Histogram) Since(before *Histogram) Histogram {
	out := Histogram{n: h.n - before.n, sum: h.sum - before.sum, squares: max(0, h.squares-before.squares), max: h.max, min: h.min}
	for k, octave := range h.counts {
		if octave == nil {
			continue
		}
		copied := *octave
		if earlier := before.counts[k]; earlier != nil {
			for j, n := range earlier {
				copied[j] -= n
			}
		}
		out.counts[k] = &copied
	}
	return out
}

// Merge adds what another one has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.n == 0 {
		return
	}
	for k, octave := range other.counts {
		if octave == nil {
			continue
		}
		if h.counts[k] == nil {
			h.counts[k] = new([perOctave]int64)
		}
		for j, n := range octave {
			h.counts[k][j] += n
		}
	}
	if h.n == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.n += other.n
	h.sum += other.sum
	h.squares += other.squares
}

// Clone returns a copy.
func (h *Histogram) Clone() Histogram {
	out := *h
	for k, octave := range h.counts {
		if octave != nil {
			copied := *octave
			out.counts[k] = &copied
		}
	}
	return out
}
