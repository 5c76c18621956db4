package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// FuzzStream holds streams of random cost, failures, windows and ends against
// what is promised.
func FuzzStream(f *testing.F) {
	for seed := range uint64(scenarios.Fewer(300)) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { newStreamCase(t, rand.New(rand.NewPCG(seed, 11))).run() })
	})
}

// The ways in which a stream ends.
const (
	byInput = iota
	byBreak
	byBodyPanic
	byBodyGoexit
	byCancel
	byPanic // of an item
	byInputPanic
	byInputGoexit
	byInputError
	ways
)

var (
	errInput  = errors.New("input")
	errReason = errors.New("reason")
)

// streamCase is a stream and what has been seen of it.
type streamCase struct {
	*testing.T
	cfg     executor.Config
	n       int
	cost    []time.Duration // of an item
	pause   []time.Duration // before it arrives
	slow    time.Duration   // the loop's body
	fails   []bool
	exits   []bool // by Goexit
	way, at int    // the way in which it ends, and where

	window                 int
	running, inputs, taken atomic.Int64
	runs                   []atomic.Int32

	yielded atomic.Int64
	told    map[int]error
	last    executor.Result[int, int]
	cut     bool // a result of an item that the end kept from completing was told
	cancel  context.CancelCauseFunc
}

func newStreamCase(t *testing.T, random *rand.Rand) *streamCase {
	n := random.IntN(300)
	c := &streamCase{
		T: t, n: n, told: map[int]error{},
		cost: make([]time.Duration, n), pause: make([]time.Duration, n),
		fails: make([]bool, n), exits: make([]bool, n), runs: make([]atomic.Int32, n),
		cfg: executor.Config{
			Unordered: random.IntN(2) == 0, Window: []int{0, 1, 5, 64}[random.IntN(4)],
			Errors: executor.ErrorMode(random.IntN(2)), Workers: []int{0, 0, 1, 4}[random.IntN(4)],
			ChunkSize: []int{0, 0, 0, 7}[random.IntN(4)],
		},
		way: random.IntN(ways), at: random.IntN(n + 1),
	}
	if c.cfg.Workers == 0 {
		c.cfg.MaxWorkers = []int{0, 0, 1, 3}[random.IntN(4)]
	}
	if c.window = c.cfg.Window; c.window == 0 {
		c.window = executor.DefaultWindow
	}
	if random.IntN(3) == 0 {
		c.cfg.Policies = []executor.Policy{passing{}}
	}
	failing := []float64{0, 0, 0.01, 0.2}[random.IntN(4)]
	exiting := []float64{0, 0, 0, 0.02}[random.IntN(4)]
	// A share of items costs anything: the others may run in chunks.
	dear, pausing := random.Float64()*random.Float64(), random.Float64()*random.Float64()
	for i := range n {
		if random.Float64() < dear {
			c.cost[i] = time.Duration(random.ExpFloat64() * float64([]time.Duration{time.Microsecond, 5 * time.Millisecond, time.Second}[random.IntN(3)]))
		}
		if random.Float64() < pausing {
			c.pause[i] = time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		}
		c.fails[i], c.exits[i] = random.Float64() < failing, random.Float64() < exiting
	}
	if random.IntN(4) == 0 {
		c.slow = time.Duration(random.ExpFloat64() * float64(time.Millisecond))
	}
	return c
}

type passing struct{}

func (passing) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

func (c *streamCase) input(yield func(int, error) bool) {
	c.inputs.Add(1)
	defer c.inputs.Add(-1)
	for i := range c.n {
		time.Sleep(c.pause[i])
		if i == c.at {
			switch c.way {
			case byInputPanic:
				panic(errInput)
			case byInputGoexit:
				runtime.Goexit()
			case byInputError:
				yield(0, errInput)
				return
			}
		}
		require.LessOrEqual(c, c.taken.Add(1)-c.yielded.Load(), int64(c.window))
		if !yield(i, nil) {
			return
		}
	}
}

func (c *streamCase) call(ctx context.Context, i int) (int, error) {
	c.running.Add(1)
	defer c.running.Add(-1)
	c.runs[i].Add(1)
	var ended <-chan struct{} // every other call knows no context
	if i%2 != 0 {
		ended = ctx.Done()
	}
	if c.cost[i] > 0 { // a timer that has fired at once has crashed the runtime in a bubble
		timer := time.NewTimer(c.cost[i])
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ended:
			return 0, ctx.Err()
		}
	}
	switch {
	case c.way == byPanic && i == c.at:
		panic(errReason)
	case c.exits[i]:
		runtime.Goexit()
	case c.fails[i]:
		return 0, errOdd
	}
	return i + 1, nil
}

func (c *streamCase) run() {
	ctx, cancel := context.WithCancelCause(c.Context())
	c.cancel = cancel
	defer cancel(nil)
	var panicked any
	returned := false
	done := make(chan struct{})
	go func() { // a goroutine of its own, for Goexit
		defer close(done)
		defer func() { panicked = recover() }()
		fn := withContext(c.call)
		for r := range executor.StreamSeq2(ctx, fn, c.input, c.cfg) {
			if !c.take(r) {
				break
			}
		}
		returned = true
	}()
	<-done
	c.judge(returned, panicked)
}

// take is the loop's body.
func (c *streamCase) take(r executor.Result[int, int]) (more bool) {
	c.last = r
	if r.Index < 0 {
		return true
	}
	defer c.yielded.Add(1)
	_, twice := c.told[r.Index]
	require.False(c, twice, "item %d is told twice", r.Index)
	failed := c.cfg.Errors == executor.FailFast && (errors.Is(r.Err, errOdd) || errors.Is(r.Err, executor.ErrGoexit))
	if !c.cfg.Unordered && !failed {
		for i := range c.told {
			require.Less(c, i, r.Index, "out of order")
		}
	}
	c.told[r.Index] = r.Err
	require.Equal(c, r.Index, r.Item)
	c.outcome(r)
	time.Sleep(c.slow)
	if len(c.told) == c.at {
		switch c.way {
		case byBreak:
			return false
		case byBodyPanic:
			panic(errOdd)
		case byBodyGoexit:
			runtime.Goexit()
		case byCancel:
			c.cancel(errReason)
		}
	}
	return true
}

// outcome holds a result against what its item does.
func (c *streamCase) outcome(r executor.Result[int, int]) {
	runs := int(c.runs[r.Index].Load())
	if r.Err == nil {
		require.False(c, c.fails[r.Index] || c.exits[r.Index])
		require.Equal(c, r.Index+1, r.Value)
		require.Equal(c, 1, runs)
		return
	}
	var item *executor.ItemError
	require.ErrorAs(c, r.Err, &item)
	require.Equal(c, r.Index, item.Index)
	require.Equal(c, runs, item.Attempts, "%v", r.Err)
	require.Zero(c, r.Value)
	switch {
	case errors.Is(item.Err, executor.ErrNotRun):
		require.Zero(c, runs)
		c.cut = true
	case c.exits[r.Index] && errors.Is(item.Err, executor.ErrGoexit):
	case c.fails[r.Index] && errors.Is(item.Err, errOdd):
	default:
		require.ErrorIs(c, item.Err, context.Canceled)
		c.cut = true
	}
}

// judge looks at how it ended.
func (c *streamCase) judge(returned bool, panicked any) {
	require.Zero(c, c.running.Load())
	require.Zero(c, c.inputs.Load())
	for i := range c.n {
		require.LessOrEqual(c, c.runs[i].Load(), int32(1), "item %d was run twice", i)
	}
	about := fmt.Sprintf("%+v way %d at %d of %d", c.cfg, c.way, c.at, c.n)
	broken := len(c.told) >= c.at && c.at > 0
	var carried *executor.PanicError
	switch err, _ := panicked.(error); {
	case c.way == byBodyPanic && broken:
		require.Equal(c, errOdd, panicked, about)
		return
	case c.way == byBodyGoexit && broken:
		require.False(c, returned, about)
		return
	case errors.As(err, &carried):
		require.Contains(c, []int{byPanic, byInputPanic}, c.way, about)
		require.Equal(c, map[int]int{byPanic: c.at, byInputPanic: -1}[c.way], carried.Index)
		return
	}
	require.Nil(c, panicked, about)
	require.True(c, returned, about)
	if c.way == byPanic && c.at < c.n {
		require.Zero(c, c.runs[c.at].Load(), "its panic was dropped: %s", about)
	}
	if c.way == byBreak && broken {
		return
	}
	failed := c.cfg.Errors == executor.FailFast && (errors.Is(c.last.Err, errOdd) || errors.Is(c.last.Err, executor.ErrGoexit)) && c.last.Index >= 0
	if !failed { // whatever was taken is told
		require.Len(c, c.told, int(c.taken.Load()), about)
	}
	switch {
	case failed:
		require.NotErrorIs(c, c.last.Err, executor.ErrNotRun)
	case c.cut:
		require.Equal(c, -1, c.last.Index, about)
		require.ErrorIs(c, c.last.Err, errReason, about)
		require.ErrorIs(c, c.last.Err, context.Canceled, about)
	case c.way == byInputError && c.at < c.n:
		require.Equal(c, errInput, c.last.Err, about)
	case c.way == byInputGoexit && c.at < c.n:
		require.Equal(c, executor.ErrGoexit, c.last.Err, about)
	case c.way == byCancel && len(c.told) < c.n:
		require.ErrorIs(c, c.last.Err, errReason, about)
	default:
		require.Len(c, c.told, c.n, about)
	}
}
