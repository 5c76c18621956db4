package amorsize_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// site is a graph of pages, and counts the visits of each.
type site struct {
	mu     sync.Mutex
	links  map[int][]int
	visits map[int]int
	fails  func(page int) error
}

func (s *site) visit(_ context.Context, page int, found func(...int)) (int, error) {
	s.mu.Lock()
	s.visits[page]++
	s.mu.Unlock()
	found(s.links[page]...)
	if s.fails != nil {
		if err := s.fails(page); err != nil {
			return 0, err
		}
	}
	return page * 10, nil
}

// graph returns one of so many pages.
func graph(random *rand.Rand, pages int) map[int][]int {
	links := map[int][]int{}
	for p := range pages {
		for range random.IntN(4) {
			links[p] = append(links[p], random.IntN(pages))
		}
	}
	return links
}

// reachable returns the pages that are, without going beyond those that are shut.
func reachable(links map[int][]int, shut func(int) bool, seeds ...int) map[int]bool {
	seen := map[int]bool{}
	for todo := seeds; len(todo) > 0; todo = todo[1:] {
		if p := todo[0]; !seen[p] {
			seen[p] = true
			if !shut(p) {
				todo = append(todo, links[p]...)
			}
		}
	}
	return seen
}

func open(int) bool { return false }

// Each page that can be reached is visited once, whatever has links to it.
func TestCrawl(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 4))
		s := &site{links: graph(random, 1+random.IntN(300)), visits: map[int]int{}}
		want := reachable(s.links, open, 0, 1)
		got := map[int]bool{}
		for r := range amorsize.Crawl(t.Context(), s.visit, slices.Values([]int{0, 1, 0}), amorsize.WithWorkers(1+random.IntN(4)), amorsize.WithWindow(1+random.IntN(20))) {
			require.NoError(t, r.Err)
			require.Equal(t, r.Item*10, r.Value)
			require.False(t, got[r.Item], "once")
			got[r.Item] = true
		}
		require.Equal(t, want, got)
		for _, n := range s.visits {
			require.Equal(t, 1, n)
		}
	}
}

// However often it is stopped, a crawl with a journal visits each page once, and tells of all
// in the end.
func TestCrawlGoesOn(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 5))
		s := &site{links: graph(random, 200), visits: map[int]int{}}
		want := reachable(s.links, open, 0)
		path := journalPath(t)
		for run := 0; ; run++ {
			j, err := journal.Open(path, journal.Options{Sync: journal.SyncNever})
			require.NoError(t, err)
			after, got := random.IntN(40), map[int]bool{}
			ctx, cancel := context.WithCancel(t.Context())
			s.fails = func(page int) error { // in time: what has begun ends well
				if after--; run < 9 && after < 0 {
					cancel()
				}
				return nil
			}
			for r := range amorsize.Crawl(ctx, s.visit, slices.Values([]int{0}), amorsize.WithJournal(j), amorsize.WithWorkers(1)) {
				if r.Err == nil {
					got[r.Item] = true
				}
			}
			ended := ctx.Err() == nil
			cancel()
			require.NoError(t, j.Close())
			if ended {
				require.Equal(t, want, got)
				break
			}
		}
		for page, n := range s.visits {
			require.Equal(t, 1, n, page)
		}
	}
}

// What a page that fails has found does not count, and all else is visited. With retries it
// does in the end.
func TestCrawlOfFailures(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 6))
	shut := func(page int) bool { return page%7 == 3 }
	s := &site{links: graph(random, 300), visits: map[int]int{}, fails: func(page int) error {
		if shut(page) {
			return errRefused
		}
		return nil
	}}
	want := reachable(s.links, shut, 0)
	path := journalPath(t)
	for range 2 {
		j := openJournal(t, path)
		got := map[int]bool{}
		for r := range amorsize.Crawl(t.Context(), s.visit, slices.Values([]int{0}), amorsize.WithErrors(amorsize.Collect), amorsize.WithJournal(j)) {
			require.Equal(t, shut(r.Item), r.Err != nil)
			got[r.Item] = true
		}
		require.Equal(t, want, got)
		require.NoError(t, j.Close())
	}
	for page, n := range s.visits {
		require.Equal(t, 1, n, page)
	}

	var tries atomic.Int64
	s.fails = func(int) error {
		if tries.Add(1)%3 == 0 {
			return errRefused
		}
		return nil
	}
	got := map[int]bool{}
	hosts := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1e6, BurstSize: 100}, 0)
	for r := range amorsize.Crawl(t.Context(), s.visit, slices.Values([]int{0}), amorsize.WithPolicies(
		retry.MustNew(retry.Policy{MaxRetries: 30, InitialDelay: time.Microsecond, MaxDelay: 2 * time.Microsecond}),
		amorsize.ByKey(hosts, func(page int) int { return page % 4 }))) {
		require.NoError(t, r.Err)
		got[r.Item] = true
	}
	require.Equal(t, reachable(s.links, open, 0), got)
}

// A crawl ends with the first failure, with its context, when the loop is left, and by a
// panic: none of them waits for what was still to be found.
func TestCrawlEnds(t *testing.T) {
	endless := func(_ context.Context, n int, found func(...int)) (int, error) {
		found(n+1, n+2)
		return n, nil
	}
	n := 0
	for r := range amorsize.Crawl(t.Context(), endless, slices.Values([]int{0})) {
		require.NoError(t, r.Err)
		if n++; n == 100 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var last error
	for r := range amorsize.Crawl(ctx, endless, slices.Values([]int{0})) {
		if last = r.Err; r.Item > 100 {
			cancel()
		}
	}
	cancel()
	require.ErrorIs(t, last, context.Canceled)
	for r := range amorsize.Crawl(t.Context(), func(ctx context.Context, n int, found func(...int)) (int, error) {
		if n > 100 {
			return 0, errRefused
		}
		return endless(ctx, n, found)
	}, slices.Values([]int{0})) {
		last = r.Err
	}
	require.ErrorIs(t, last, errRefused)
	require.Panics(t, func() {
		for range amorsize.Crawl(t.Context(), func(ctx context.Context, n int, found func(...int)) (int, error) {
			if n > 100 {
				panic("boom")
			}
			return endless(ctx, n, found)
		}, slices.Values([]int{0})) {
			continue
		}
	})
	require.PanicsWithValue(t, "body", func() {
		for range amorsize.Crawl(t.Context(), endless, slices.Values([]int{0})) {
			panic("body")
		}
	})
	for range amorsize.Crawl(t.Context(), endless, slices.Values([]int(nil))) {
		require.Fail(t, "there was nothing to visit")
	}
}

// More is found than is kept in memory, and what is found too late does nothing.
func TestCrawlOfMany(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const many = 130_000
	var late func(...int)
	n, sum := 0, int64(0)
	for r := range amorsize.Crawl(t.Context(), func(_ context.Context, page int, found func(...int)) (int, error) {
		if page == 0 {
			late = found
			for i := range many {
				found(i, i)
			}
		} else {
			late(many + page)
		}
		return page, nil
	}, slices.Values([]int{0})) {
		require.NoError(t, r.Err)
		n++
		sum += int64(r.Value)
	}
	require.Equal(t, many, n)
	require.Equal(t, int64(many)*(many-1)/2, sum)
}

// Items are told apart by a key, where there is one; without any the crawl ends.
func TestCrawlKeys(t *testing.T) {
	type link struct {
		URL  string
		From int
	}
	n := 0
	for r := range amorsize.Crawl(t.Context(), func(_ context.Context, l link, found func(...link)) (int, error) {
		found(link{"a", l.From + 1}, link{"b", l.From + 1})
		return 0, nil
	}, slices.Values([]link{{"a", 0}}), amorsize.WithKey(func(l link) string { return l.URL })) {
		require.NoError(t, r.Err)
		n++
	}
	require.Equal(t, 2, n)
	of := func(opts ...amorsize.Option) (err error) {
		for r := range amorsize.Crawl(t.Context(), func(_ context.Context, x float64, found func(...float64)) (int, error) {
			found(math.Inf(1))
			return 0, nil
		}, slices.Values([]float64{1}), opts...) {
			err = errors.Join(err, r.Err)
		}
		return err
	}
	require.ErrorContains(t, of(), "amorsize: an item of Crawl can't be told apart from others: json: unsupported value: +Inf")
	require.ErrorIs(t, of(amorsize.WithKey(func(int) string { return "" })), amorsize.ErrConfig)
	require.ErrorIs(t, of(amorsize.WithWorkers(0)), amorsize.ErrConfig)
	for r := range amorsize.Crawl[int, int](t.Context(), nil, slices.Values([]int{1})) {
		require.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
	for r := range amorsize.Crawl(t.Context(), (&site{}).visit, nil) {
		require.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
}

// With a journal of any codec that keeps results, what was found is there in the next run;
// what would not be is an error.
func TestCrawlCodecs(t *testing.T) {
	chain := func(_ context.Context, n int, found func(...int)) (int, error) {
		if n < 5 {
			found(n + 1)
		}
		return n * 10, nil
	}
	for _, codec := range []journal.Codec{journal.JSON, journal.Gob, &gateCodec{gate: closed()}} {
		path := journalPath(t)
		for run := range 2 {
			j, err := journal.Open(path, journal.Options{Codec: codec, Sync: journal.SyncNever})
			require.NoError(t, err)
			n := 0
			for r := range amorsize.Crawl(t.Context(), chain, slices.Values([]int{0}), amorsize.WithJournal(j)) {
				require.NoError(t, r.Err)
				require.Equal(t, r.Item*10, r.Value)
				n++
			}
			require.Equal(t, 6, n, run)
			require.NoError(t, j.Close())
		}
	}
	errOfCrawl := func(opts ...amorsize.Option) (err error) {
		type page struct {
			URL  string
			From int `json:"-"`
		}
		for r := range amorsize.Crawl(t.Context(), func(_ context.Context, p page, found func(...page)) (int, error) {
			found(page{p.URL + "x", 7})
			return 0, nil
		}, slices.Values([]page{{"a", 0}}), opts...) {
			if err = r.Err; err != nil || len(r.Item.URL) > 3 {
				break
			}
		}
		return err
	}
	require.NoError(t, errOfCrawl())
	j := openJournal(t, journalPath(t))
	require.ErrorContains(t, errOfCrawl(amorsize.WithJournal(j)), "JSON does not restore them as they are")
	none, err := journal.Open(journalPath(t), journal.Options{Codec: journal.None})
	require.NoError(t, err)
	require.ErrorIs(t, errOfCrawl(amorsize.WithJournal(none)), amorsize.ErrConfig)
	require.NoError(t, none.Close())
	type hidden struct{ n int }
	for r := range amorsize.Crawl(t.Context(), func(_ context.Context, h hidden, found func(...hidden)) (int, error) {
		found(hidden{h.n + 1})
		return 0, nil
	}, slices.Values([]hidden{{0}})) {
		require.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Of attempts, the last one's finds count.
func TestCrawlOfAttempts(t *testing.T) {
	calls := 0
	n := 0
	for r := range amorsize.Crawl(t.Context(), func(_ context.Context, page int, found func(...int)) (int, error) {
		if calls++; calls == 1 {
			found(7)
		}
		return page, nil
	}, slices.Values([]int{0}), amorsize.WithPolicies(alwaysTwice{})) {
		require.NoError(t, r.Err)
		n++
	}
	require.Equal(t, 1, n)
}

type alwaysTwice struct{}

func (alwaysTwice) Do(ctx context.Context, call func(context.Context) error) error {
	return errors.Join(call(ctx), call(ctx))
}

// Without a place for what is found, the crawl ends soon.
func TestCrawlWithoutAFile(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	var last error
	for r := range amorsize.Crawl(t.Context(), func(_ context.Context, page int, found func(...int)) (int, error) {
		for i := range 130_000 {
			found(i)
		}
		return page, nil
	}, slices.Values([]int{0})) {
		last = r.Err
	}
	require.ErrorContains(t, last, "nowhere")
}
