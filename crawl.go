package amorsize

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/internal/spillqueue"
	"github.com/amorsize/amorsize/journal"
)

// Crawl is a [Stream] of items that the function finds itself: the links of a page, the entries of a
// directory, the next page of a list. It begins with seeds; each call of fn may add items by calling found.
// They count only if the call succeeds. An item is visited once, however often it is found. Results are
// yielded as they complete. The stream ends when nothing is left to visit.
//
//	for r := range amorsize.Crawl(ctx, func(ctx context.Context, url string, found func(...string)) (page, error) {
//		p, err := fetch(ctx, url)
//		found(p.links...)
//		return p, err
//	}, slices.Values([]string{"https://example.com/"})) {
//		…
//	}
//
// Items are told apart by their encoding as JSON, or by [WithKey]; without either the stream ends with an
// error. Up to some 100000 found items wait in memory, and more of them in a temporary file, if they survive
// a JSON round trip. A visited item keeps 16 bytes in memory, some 40 with its map entry.
//
// [WithJournal] makes it resumable: what a visited item found is kept with its result, as JSON, and used
// again without a call. With a journal, items that do not survive a JSON round trip end the crawl with an
// error, and journal.None is refused. Everything else is as for [Stream]: a failure ends the crawl, unless
// [WithErrors]([Collect]) makes it a result like any other; leaving the loop ends the crawl. found is safe
// for concurrent use while fn runs, and does nothing afterwards.
func Crawl[T, R any](ctx context.Context, fn func(ctx context.Context, item T, found func(items ...T)) (R, error), seeds iter.Seq[T], opts ...Option) iter.Seq[Result[T, R]] {
	cfg, err := configure(append([]Option{WithUnordered()}, opts...))
	switch {
	case err != nil:
	case fn == nil:
		err = &ConfigError{Field: "fn", Value: nil, Range: "a function"}
	case seeds == nil:
		err = &ConfigError{Field: "seeds", Value: nil, Range: "an iterator"}
	}
	return func(yield func(Result[T, R]) bool) {
		cfg := cfg
		c, failed := newCrawl(fn, &cfg, err)
		if failed != nil {
			yield(Result[T, R]{Index: -1, Err: failed})
			return
		}
		defer func() { _ = c.queue.Close() }()
		c.run(ctx, seeds, &cfg, yield)
	}
}

// newCrawl returns the crawl of one loop, or an error if failed is one or the settings don't fit.
func newCrawl[T, R any](fn func(context.Context, T, func(...T)) (R, error), cfg *settings, failed error) (c *crawl[T, R], err error) {
	if failed != nil {
		return nil, failed
	}
	c = &crawl[T, R]{
		fn: fn, finds: map[journal.Key][]T{}, seen: map[journal.Key]struct{}{},
		queue: spillqueue.New[T](waitingItems), news: make(chan struct{}, 1),
	}
	if c.keyOf, err = keyFunc[T](cfg, true); err != nil || cfg.journal == nil {
		return c, err
	}
	if cfg.journal.Codec() == journal.None {
		return nil, &ConfigError{Field: "WithJournal", Value: "journal.None", Range: "a journal that keeps results: the items an item has found are part of its result"}
	}
	kept, err := newJournaled[T, visit[T, R]](cfg, c.keyOf)
	if err != nil {
		return nil, err
	}
	kept.encode, kept.decode = encodeVisit[T, R](cfg.journal.Codec()), decodeVisit[T, R](cfg.journal.Codec())
	c.kept = kept
	return c, nil
}

// waitingItems is how many found items are kept in memory, twice: at both ends of the queue.
const waitingItems = 50_000

// crawl is one loop over what [Crawl] returns.
type crawl[T, R any] struct {
	fn    func(context.Context, T, func(...T)) (R, error)
	keyOf func(T) (journal.Key, error)
	kept  *journaled[T, visit[T, R]] // nil without a journal
	news  chan struct{}              // signals that an item may be queued or that none is left

	mu      sync.Mutex
	finds   map[journal.Key][]T // by items that were visited, and not yielded yet
	seen    map[journal.Key]struct{}
	queue   *spillqueue.Queue[T]
	pending int // items that were handed out, and not yielded yet
	broken  error
}

// visit is what is kept for an item.
type visit[T, R any] struct {
	value R
	found []T
}

func (c *crawl[T, R]) run(ctx context.Context, seeds iter.Seq[T], cfg *settings, yield func(Result[T, R]) bool) {
	call := executor.Func[T, R]{Context: c.visit}
	if c.kept != nil {
		call.Keeper = c
	}
	results := executor.StreamFrom(ctx, call, func(ctx context.Context) iter.Seq2[T, error] { return c.items(ctx, seeds) }, cfg.Config)
	pass(results, cfg, func(r Result[T, R]) bool {
		if r.Index >= 0 {
			c.done(r.Item, r.Err)
		}
		return yield(r)
	})
}

// visit calls the function, and keeps what it finds.
func (c *crawl[T, R]) visit(ctx context.Context, item T) (R, error) {
	var mu sync.Mutex
	var list []T
	over := false
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
	}()
	value, err := c.fn(ctx, item, func(items ...T) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			list = append(list, items...)
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if err == nil { // also if it found nothing: an earlier attempt may have
		c.remember(item, list)
	}
	return value, err
}

// remember keeps what an item has found until it is yielded.
func (c *crawl[T, R]) remember(item T, list []T) {
	key, err := c.keyOf(item)
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.finds, key); err == nil && len(list) > 0 {
		c.finds[key] = list
	}
}

// items yields the seeds, and then what is found, until nothing is left.
func (c *crawl[T, R]) items(ctx context.Context, seeds iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item := range seeds {
			if fresh, err := c.enter(item); err != nil {
				yield(item, err)
				return
			} else if fresh && !yield(item, nil) {
				return
			}
		}
		for {
			item, ok, err := c.next(ctx)
			if err != nil {
				yield(item, err)
				return
			}
			if !ok || !yield(item, nil) {
				return
			}
		}
	}
}

// enter marks an item as seen and pending, unless it has been seen before.
func (c *crawl[T, R]) enter(item T) (fresh bool, err error) {
	key, err := c.keyOf(item)
	if err != nil {
		return false, fmt.Errorf("amorsize: an item of Crawl can't be told apart from others: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, seen := c.seen[key]; seen {
		return false, nil
	}
	c.seen[key] = struct{}{}
	c.pending++
	return true, nil
}

// next returns an item that was found. It waits for one while pending items may still find some.
func (c *crawl[T, R]) next(ctx context.Context) (item T, ok bool, err error) {
	for {
		c.mu.Lock()
		err := c.broken
		if err == nil {
			item, ok, err = c.queue.Pop()
		}
		over := c.pending == 0
		c.mu.Unlock()
		if err != nil || ok || over {
			return item, ok, err
		}
		select {
		case <-c.news:
		case <-ctx.Done():
			return item, false, nil
		}
	}
}

// done ends a pending item, and enters and queues those it has found that have not been seen.
func (c *crawl[T, R]) done(item T, failed error) {
	key, _ := c.keyOf(item) // no error: enter has computed it before
	c.mu.Lock()
	found := c.finds[key]
	delete(c.finds, key)
	c.mu.Unlock()
	if failed != nil {
		found = nil
	}
	for _, other := range found {
		fresh, err := c.enter(other)
		c.mu.Lock()
		if err == nil && fresh {
			err = c.queue.Push(other)
		}
		if c.broken == nil {
			c.broken = err
		}
		broken := c.broken != nil
		c.mu.Unlock()
		if broken { // the crawl ends; the rest is not visited
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending--
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// Known implements [executor.Keeper].
func (c *crawl[T, R]) Known(i int, item T) (past executor.Outcome[R], known bool, err error) {
	of, known, err := c.kept.Known(i, item)
	if known && of.Err == nil {
		c.remember(item, of.Value.found)
	}
	return executor.Outcome[R]{Value: of.Value.value, Err: of.Err, Attempts: of.Attempts}, known, err
}

// Warnings says what the journal has lost.
func (c *crawl[T, R]) Warnings() []string {
	return c.kept.Warnings()
}

// Keep implements [executor.Keeper].
func (c *crawl[T, R]) Keep(i int, item T, now executor.Outcome[R]) error {
	of := executor.Outcome[visit[T, R]]{Value: visit[T, R]{value: now.Value}, Err: now.Err, Attempts: now.Attempts, Took: now.Took}
	if key, err := c.keyOf(item); err == nil {
		c.mu.Lock()
		of.Value.found = c.finds[key]
		c.mu.Unlock()
	}
	return c.kept.Keep(i, item, of)
}
