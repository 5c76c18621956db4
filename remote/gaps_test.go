package remote

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// TestGaps has chunks end in any order, and looked for as a reader does: each is visited once, in order where that is
// asked for, and the reader knows when it has all.
func TestGaps(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		ordered := seed%2 == 0
		var chunks []store.Span
		items := int64(0)
		for range 1 + random.IntN(40) {
			n := 1 + random.IntN(5)
			chunks = append(chunks, store.Span{Start: items, Count: n})
			items += int64(n)
		}
		from := int64(0)
		if ordered && seed%3 == 0 {
			from = random.Int64N(items)
		}
		there := make([]bool, len(chunks))
		visited := map[int64]int{}
		g := &gaps{next: from, from: from, ordered: ordered}
		last := int64(-1)
		for _, ends := range random.Perm(len(chunks)) {
			there[ends] = true
			for _, span := range g.spans() {
				for i, c := range chunks {
					if !there[i] || !in(c, span) {
						continue
					}
					if !g.takes(c.Start) {
						break
					}
					visited[c.Start]++
					if ordered {
						require.Greater(t, c.Start, last, "seed %d", seed)
						last = c.Start
					}
					g.add(c.Start, c.Count)
				}
			}
		}
		for range chunks { // what was left for lack of an earlier one
			for _, span := range g.spans() {
				for _, c := range chunks {
					if in(c, span) && g.takes(c.Start) {
						visited[c.Start]++
						g.add(c.Start, c.Count)
					}
				}
			}
		}
		assert.True(t, g.complete(items), "seed %d", seed)
		for _, c := range chunks {
			want := 1
			if c.Start+int64(c.Count) <= from {
				want = 0
			}
			assert.Equal(t, want, visited[c.Start], "seed %d, chunk %+v of %d from %d", seed, c, items, from)
		}
	}
}

// in is what the database's query says.
func in(c, span store.Span) bool {
	if span.Within && c.Start <= span.Start && c.Start+int64(c.Count) > span.Start {
		return true
	}
	return c.Start >= span.Start && (span.Count == 0 || c.Start < span.Start+int64(span.Count))
}
