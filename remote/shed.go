package remote

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// patience is how many times its expected time a chunk may take, until the items that have not begun go to others.
const patience = 4

// reserve is the minimum number of waiting chunks, so that one is available when the stream wants one.
const reserve = 2

// goneFor is about how long a chunk that was given back is away until it is fetched again.
const goneFor = 1500 * time.Millisecond

// wanted is how many chunks should wait: as many as run before a chunk that was given away comes back.
func (p *flow[T, R]) wanted(items int) int64 {
	return reserve + int64(p.pace.rate()*goneFor.Seconds())/int64(max(items, 1))
}

// enter hands a chunk to the stream. If the stream has enough work, other workers may have the chunk.
func (p *flow[T, R]) enter(ctx context.Context, l *load[T, R]) error {
	late := time.NewTicker(patience * p.limits.chunkTime)
	defer late.Stop()
	p.entering.Add(1)
	defer p.entering.Add(-1)
	for {
		select {
		case p.chunks <- l:
			return nil
		case <-late.C:
			if p.entering.Load() > p.wanted(len(l.items)) {
				return errEnough
			}
		case <-p.giving:
			return errGivenBack
		case <-p.over:
			return p.broken()
		case <-ctx.Done():
			return errGivenBack
		}
	}
}

// await waits for a chunk. If the chunk takes long, or the worker is stopped, it keeps the items that have begun,
// and the others go to other workers: so too large a chunk does little harm.
func (p *flow[T, R]) await(ctx context.Context, l *load[T, R]) error {
	late := time.NewTimer(patience * p.limits.chunkTime)
	defer late.Stop()
	giving := p.giving
	for {
		select {
		case <-l.done:
			if l.spoiled() {
				return errGivenBack
			}
			return nil
		case <-p.over:
			if l.complete() {
				continue
			}
			return p.broken()
		case <-giving:
			giving = nil
			if l.untouched() {
				return errGivenBack
			}
		case <-late.C:
			late.Reset(patience * p.limits.chunkTime)
		}
		if err := p.shed(ctx, l); err != nil {
			return err
		}
	}
}

// shed gives away the items of a chunk that have not begun.
func (p *flow[T, R]) shed(ctx context.Context, l *load[T, R]) error {
	rest, from := l.cut()
	if len(rest) == 0 {
		return nil
	}
	kept := l.chunk
	kept.Count, kept.Items = from, pack(l.items[:from])
	// if another worker has it by now, the result will be refused
	_, err := p.limits.shed(ctx, kept, pieces(l.chunk, rest, from, p.pace.rate()*p.limits.chunkTime.Seconds()))
	return err
}

// pieces divides the items given away into chunks of size items each, or of a hundredth of them if that is more.
func pieces(c store.Chunk, rest [][]byte, from int, size float64) []store.Chunk {
	const most = 100
	each := max(int(size), (len(rest)+most-1)/most, 1)
	var chunks []store.Chunk
	for len(rest) > 0 {
		n := min(each, len(rest))
		chunks = append(chunks, store.Chunk{
			Key:   store.Key{Run: c.Run, Round: c.Round, Start: c.Start + int64(from)},
			Count: n, Items: pack(rest[:n]), Alone: c.Alone,
		})
		if last := &chunks[len(chunks)-1]; c.Round > 0 {
			last.Start, _, _ = store.Unindexed(rest[0]) // it was checked when the chunk was read
		}
		rest, from = rest[n:], from+n
	}
	return chunks
}

func pack(items [][]byte) []byte {
	var packed []byte
	for _, item := range items {
		packed = frame.Append(packed, item)
	}
	return packed
}
