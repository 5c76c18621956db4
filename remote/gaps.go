package remote

import (
	"slices"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// gaps are the items whose outcomes were not visited: all from next on, and, if order does not matter, the skipped
// ones.
type gaps struct {
	ordered bool
	from    int64 // the first that is wanted
	next    int64
	jumped  []store.Span
}

// spans is where to look.
func (g *gaps) spans() []store.Span {
	const most = 64
	last := store.Span{Start: g.next, Within: g.next == g.from && g.from > 0}
	return append(slices.Clone(g.jumped[:min(len(g.jumped), most)]), last)
}

// takes says whether a chunk's outcomes are wanted now.
func (g *gaps) takes(start int64) bool { return !g.ordered || start <= g.next }

func (g *gaps) add(start int64, count int) {
	end := start + int64(count)
	if start >= g.next {
		if start > g.next {
			g.jumped = append(g.jumped, store.Span{Start: g.next, Count: int(start - g.next)})
		}
		g.next = end
		return
	}
	for i, gap := range g.jumped {
		gapEnd := gap.Start + int64(gap.Count)
		if start < gap.Start || start >= gapEnd {
			continue
		}
		rest := []store.Span{}
		if start > gap.Start {
			rest = append(rest, store.Span{Start: gap.Start, Count: int(start - gap.Start)})
		}
		if end < gapEnd {
			rest = append(rest, store.Span{Start: end, Count: int(gapEnd - end)})
		}
		g.jumped = append(g.jumped[:i], append(rest, g.jumped[i+1:]...)...)
		return
	}
	g.next = max(g.next, end)
}

func (g *gaps) complete(items int64) bool { return g.next >= items && len(g.jumped) == 0 }
