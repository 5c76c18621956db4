package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// account is what became of the items of a pipe: each must be in one result, in one piece that was given away, or in
// a chunk that was given back.
type account struct {
	lock   sync.Mutex
	times  map[int64]int
	begun  map[int64]bool
	pieces []store.Chunk
}

func (a *account) count(start int64, n int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for i := range n {
		a.times[start+int64(i)]++
	}
}

func (a *account) shed(_ context.Context, _ store.Chunk, pieces []store.Chunk) (bool, error) {
	time.Sleep(5 * time.Millisecond)
	a.lock.Lock()
	defer a.lock.Unlock()
	a.pieces = append(a.pieces, pieces...)
	return true, nil
}

// TestPipe has chunks of any size worked in virtual time, and the worker stopped at any moment: every item is
// somewhere, once, and has its own result.
func TestPipe(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playPipe(t, seed) })
		})
	}
}

func playPipe(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	a := &account{times: map[int64]int{}, begun: map[int64]bool{}}
	f := &Func[int, int]{id: "f", in: JSON[int](), out: JSON[int](), fn: func(ctx context.Context, n int) (int, error) {
		a.lock.Lock()
		a.begun[int64(n)] = true
		a.lock.Unlock()
		if n%3 == 0 {
			select {
			case <-time.After(time.Duration(1+n%50) * time.Millisecond):
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		if n%7 == 0 {
			return 0, errors.New("seven")
		}
		return -n, nil
	}}
	ctx, cut := context.WithCancel(t.Context())
	p := f.open(ctx, limits{DefaultResultBytes, 20 * time.Millisecond, a.shed})
	var all sync.WaitGroup
	items := int64(0)
	for range 1 + random.IntN(30) {
		c := store.Chunk{Key: store.Key{Run: "r", Start: items}, Count: 1 + random.IntN(200)}
		wrong := random.IntN(4) == 0
		for i := range c.Count {
			text := strconv.FormatInt(items+int64(i), 10)
			if wrong && i%5 == 2 {
				text = "{"
			}
			c.Items = frame.Append(c.Items, []byte(text))
		}
		items += int64(c.Count)
		all.Go(func() { workOne(t, p, a, c) })
	}
	if seed%2 == 1 {
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		p.give()
		if seed%4 == 1 {
			time.AfterFunc(10*time.Millisecond, cut)
		}
	}
	all.Wait()
	cut()
	p.close()
	for _, c := range a.pieces {
		a.count(c.Start, c.Count)
		for i := range c.Count {
			assert.False(t, a.begun[c.Start+int64(i)], "an item that was begun was given away")
		}
	}
	assert.Len(t, a.times, int(items))
	for item, n := range a.times {
		assert.Equal(t, 1, n, "item %d of %d", item, items)
	}
}

// workOne works a chunk, and checks what comes of it.
func workOne(t *testing.T, p pipe, a *account, c store.Chunk) {
	done, err := p.work(t.Context(), c)
	if err != nil {
		assert.True(t, errors.Is(err, errGivenBack) || errors.Is(err, errEnough), "%v", err)
		left := c.Count
		a.lock.Lock() // what was given away of it before is no longer in it
		for _, piece := range a.pieces {
			if piece.Start > c.Start && piece.Start < c.Start+int64(c.Count) {
				left = min(left, int(piece.Start-c.Start))
			}
		}
		a.lock.Unlock()
		a.count(c.Start, left)
		return
	}
	a.count(done.Start, done.Count)
	items, err := frame.Split(c.Items, c.Count)
	require.NoError(t, err)
	rest, failures := done.Data, 0
	for i := range done.Count {
		var data []byte
		var failed bool
		data, failed, rest, err = frame.NextOutcome(rest)
		require.NoError(t, err)
		if failed {
			failures++
			assert.Equal(t, string(items[i]), string(done.Failures[failures-1].Payload))
			continue
		}
		n, err := strconv.Atoi(string(items[i]))
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(-n), string(data))
	}
	assert.Equal(t, done.Failed, failures)
	assert.Empty(t, rest)
}
