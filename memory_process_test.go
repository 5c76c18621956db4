package amorsize_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/scenarios"
)

const (
	processCall  = 32 << 20 // bytes that a call holds
	processLimit = 80 << 20 // for calls: two of them
	// On a machine that has more to do than cores, a call may not have run at all when it
	// passes for a small one. That was 9 of 12 at once; now it is one or two more than fit, and
	// three with three suites on two cores. Half of the items is still no limit that was not kept.
	processPeak   = 6
	processItems  = 12
	processForm   = "AMORSIZE_TEST_MEMORY_FORM" // set in the child only
	processOption = "AMORSIZE_TEST_MEMORY_LIMIT"
	processWork   = "AMORSIZE_TEST_MEMORY_WORK"
)

// processStride is how many bytes lie from one that a call touches to the next: the race
// detector makes each twenty times as dear.
var processStride = map[bool]int{false: 1, true: 32}[scenarios.Raced]

// A process of its own keeps a limit in real time, whatever sets it, from the first call on.
func TestMemoryOfAProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	option := fmt.Sprintf("%s=%d", processOption, processLimit)
	for form, env := range map[string][]string{
		"Execute":        {option},
		"Stream":         {option, processWork + "=compute"},
		"Engine":         {fmt.Sprintf("GOMEMLIMIT=%d", processLimit+8<<20)}, // the runtime has its part
		"ExecuteBatches": {option},
	} {
		t.Run(form, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMemoryChild$", "-test.count", "1", "-test.timeout", "5m")
			child.Env = append(append(os.Environ(), processForm+"="+form), env...)
			out, err := child.CombinedOutput()
			require.NoError(t, err, "%s", out)
			var peak, done int
			_, err = fmt.Sscanf(string(out[max(0, bytes.Index(out, []byte("peak "))):]), "peak %d of %d calls", &peak, &done)
			require.NoError(t, err, "%s", out)
			require.Equal(t, processItems, done)
			require.LessOrEqual(t, peak, processPeak, "%s", out)
		})
	}
}

// processForms run fn over so many items in the ways that there are.
var processForms = map[string]func(fn func(context.Context, int) (int, error), opts ...amorsize.Option) error{
	"Execute": func(fn func(context.Context, int) (int, error), opts ...amorsize.Option) error {
		_, err := amorsize.ExecuteContext(context.Background(), fn, processIndexes(processItems), opts...)
		return err
	},
	"ExecuteBatches": func(fn func(context.Context, int) (int, error), opts ...amorsize.Option) error {
		_, err := amorsize.ExecuteBatches(context.Background(), func(ctx context.Context, in []int) ([]int, error) {
			_, err := fn(ctx, in[0])
			return in, err
		}, processIndexes(processItems), append(opts, amorsize.WithChunkSize(1))...)
		return err
	},
	"Stream": func(fn func(context.Context, int) (int, error), opts ...amorsize.Option) error {
		for r := range amorsize.Stream(context.Background(), fn, func(yield func(int) bool) {
			for i := 0; i < processItems && yield(i); i++ {
			}
		}, opts...) {
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	},
	"Engine": func(fn func(context.Context, int) (int, error), opts ...amorsize.Option) error {
		engine, err := amorsize.New(fn, opts...)
		for range 2 { // the second run has learned from the first one
			if err == nil {
				_, err = engine.Run(context.Background(), processIndexes(processItems/2))
			}
		}
		return err
	},
}

// TestMemoryChild is what the child runs: calls that fill what they hold, and wait or
// compute.
func TestMemoryChild(t *testing.T) {
	run := processForms[os.Getenv(processForm)]
	if run == nil {
		t.Skip("it is for TestMemoryOfAProcess")
	}
	var opts []amorsize.Option
	if limit, err := strconv.ParseUint(os.Getenv(processOption), 10, 64); err == nil {
		opts = append(opts, amorsize.WithMemoryLimit(limit))
	}
	var inFlight, peak, done atomic.Int64
	var report amorsize.Report
	opts = append(opts, amorsize.WithReport(&report))
	err := run(func(context.Context, int) (int, error) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for most := peak.Load(); n > most && !peak.CompareAndSwap(most, n); most = peak.Load() {
		}
		held := make([]byte, processCall)
		for i := 0; i < len(held); i += processStride {
			held[i] = 1
		}
		if os.Getenv(processWork) == "" {
			time.Sleep(30 * time.Millisecond)
		} else {
			for i := range 4 * len(held) / processStride {
				at := i * processStride % len(held)
				held[at] = held[len(held)-at-processStride]
			}
		}
		done.Add(int64(held[0])) // 1
		return 0, nil
	}, opts...)
	require.NoError(t, err)
	fmt.Println(report.Explain())
	fmt.Printf("peak %d of %d calls\n", peak.Load(), done.Load())
}

func processIndexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
