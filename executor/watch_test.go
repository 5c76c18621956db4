package executor_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// quiet is an observer that wants no chunks.
type quiet struct{ recorder }

func (*quiet) NoChunks() {}

// Chunks are told where somebody wants them.
func TestCoarseObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, others := range [][]executor.Observer{nil, {&recorder{}}} {
			o := &quiet{}
			_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: squared}, sequence(500), executor.Config{
				Workers: 2, Observers: append([]executor.Observer{o}, others...)})
			require.NoError(t, err)
			require.Equal(t, len(others) > 0, len(o.of(executor.ChunkDone)) > 0)
			require.NotEmpty(t, o.of(executor.Progressed))
			require.Equal(t, 500, o.of(executor.Finished)[0].Completed)
		}
	})
}

// squared has a name to be shown.
func squared(_ context.Context, i int) (int, error) {
	time.Sleep(time.Millisecond)
	return i * i, nil
}

// Who watches is asked about each run, by its name, and told its events, until it stops.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var infos []executor.RunInfo
		ended := 0
		stop := executor.Watch(func(info executor.RunInfo) executor.Observer {
			mu.Lock()
			defer mu.Unlock()
			infos = append(infos, info)
			return executor.ObserverFunc(func(e executor.Event) {
				if e.Kind == executor.Finished {
					ended++
				}
			})
		})
		quiet := executor.Watch(func(executor.RunInfo) executor.Observer { return nil })
		broken := executor.Watch(func(executor.RunInfo) executor.Observer { panic("no") })
		fn := executor.Func[int, int]{Context: squared}
		own := &recorder{}
		observers := append(make([]executor.Observer, 0, 4), own)
		_, err := executor.Run(t.Context(), fn, sequence(3), executor.Config{Name: "squares", Observers: observers})
		require.NoError(t, err)
		require.Nil(t, observers[:2][1], "the caller's list is the caller's")
		require.Len(t, own.of(executor.Finished), 1)
		for range executor.Stream(t.Context(), fn, count(3), executor.Config{ItemTimeout: time.Second}) {
		}
		_, err = executor.RunBatches(t.Context(), func(_ context.Context, b []int) ([]int, error) { return b, nil }, sequence(2), executor.Config{})
		require.NoError(t, err)
		_, err = executor.Measure(t.Context(), fn, sequence(3), executor.Config{})
		require.NoError(t, err, "it is no run: nobody is asked")
		quiet()
		broken()
		stop()
		stop()
		_, err = executor.Run(t.Context(), fn, sequence(3), executor.Config{})
		require.NoError(t, err)

		require.Len(t, infos, 3)
		const name = "github.com/amorsize/amorsize/executor_test.squared"
		require.Equal(t, executor.RunInfo{Context: infos[0].Context, Name: "squares", Function: name, Total: 3, Started: infos[0].Started}, infos[0])
		require.Equal(t, executor.RunInfo{Context: infos[1].Context, Function: name, Total: -1, Started: infos[1].Started}, infos[1])
		require.NotNil(t, infos[0].Context)
		require.Equal(t, "squares", infos[0].Title())
		require.Equal(t, name, infos[1].Title())
		require.Contains(t, infos[2].Function, "TestWatch")
		require.Equal(t, 3, ended)
	})
}

// Who watches behind one that panics, or ends its goroutine, is asked all the same.
func TestWatchBehindOneThatEnds(t *testing.T) {
	for _, odd := range []func(executor.RunInfo) executor.Observer{
		func(executor.RunInfo) executor.Observer { panic("no") },
		func(executor.RunInfo) executor.Observer { runtime.Goexit(); return nil },
	} {
		asked := 0
		count := func(executor.RunInfo) executor.Observer { asked++; return nil }
		for _, observe := range []func(executor.RunInfo) executor.Observer{odd, count, odd, odd, count, odd} {
			defer executor.Watch(observe)()
		}
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: squared}, sequence(1), executor.Config{})
		require.NoError(t, err)
		require.Equal(t, 2, asked)
	}
}
