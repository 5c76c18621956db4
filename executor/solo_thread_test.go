package executor

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// looking is a solo of batches whose first item was run and is measured: the goroutine is tied to its
// thread for a closer look.
func looking(t *testing.T) *solo {
	t.Helper()
	o := newSolo(t.Context(), doubles(), 9, Config{MaxWorkers: 1, ChunkSize: 3}, &batching{}, nil)
	o.alarm.enter(between)
	time.Sleep(time.Second)
	o.sampler.Record(1)
	o.span = span{Lo: 1, Hi: 9}
	o.w.at, o.w.to, o.w.returned = 9, 9, true
	return o
}

// However a solo ends, the caller's goroutine is not tied to its thread any more.
func TestASoloLeavesItsThread(t *testing.T) {
	for name, end := range map[string]func(o *solo){
		"released": func(o *solo) { o.release() },
		"joined": func(o *solo) {
			o.alarm.enter(taken)
			o.alarm.ready = make(chan struct{})
			o.join()
			_ = o.goOn()
		},
		"gone on alone": func(o *solo) { _ = o.goOn() },
		"exited": func(o *solo) {
			var err error
			defer o.close(&err)
			runtime.Goexit()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			ended := make(chan *solo, 1)
			go func() {
				o := looking(t)
				defer func() { ended <- o }()
				tied := o.sampler
				tied.Stop()
				require.NotEqual(t, tied, o.sampler)
				runtime.LockOSThread() // as it was
				end(o)
			}()
			o := <-ended
			loose := o.sampler
			loose.Stop()
			require.Equal(t, loose, o.sampler, name)
		})
	}
}
