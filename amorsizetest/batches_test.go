package amorsizetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/retry"
)

// bulkService takes batches: overhead + n × item each, so many at a time.
type bulkService struct {
	overhead, item time.Duration
	slots          chan struct{} // nil is no limit
	calls, peak    atomic.Int64
	inFlight       atomic.Int64
}

func (s *bulkService) insert(_ context.Context, b []int) ([]int, error) {
	s.calls.Add(1)
	n := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	for p := s.peak.Load(); n > p && !s.peak.CompareAndSwap(p, n); p = s.peak.Load() {
	}
	if s.slots != nil {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
	}
	time.Sleep(s.overhead + time.Duration(len(b))*s.item)
	return b, nil
}

// Batches are not slower than the better of the loop and the best of what is picked by
// hand, whatever the service takes at a time, but for finding that out: with calls of
// 60 ms, some rounds of a run of 25 (1.16 × by hand; 1.1 is what it should be).
func TestBatchesBesideHandPicked(t *testing.T) {
	for _, c := range []struct {
		name           string
		overhead, item time.Duration
		slots, items   int
		most           int64   // in flight
		within         float64 // of the best by hand
	}{
		{"one writer", 2 * ms, 10 * time.Microsecond, 1, 200_000, 16, 1.1},
		{"4 slots", 5 * ms, 20 * time.Microsecond, 4, 400_000, 40, 1.1},
		{"20 connections", 3 * ms, 30 * time.Microsecond, 20, 1_000_000, 80, 1.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(insert func(*bulkService)) (took time.Duration, s *bulkService) {
				synctest.Test(t, func(t *testing.T) {
					s = &bulkService{overhead: c.overhead, item: c.item, slots: make(chan struct{}, c.slots)}
					start := time.Now()
					insert(s)
					took = time.Since(start)
				})
				return took, s
			}
			hand := time.Hour
			for _, workers := range []int{1, c.slots} {
				for _, size := range []int{500, 1000, 2000, 5000} {
					took, _ := run(func(s *bulkService) {
						var next atomic.Int64
						var all sync.WaitGroup
						for range workers {
							all.Go(func() {
								for lo := int(next.Add(int64(size))) - size; lo < c.items; lo = int(next.Add(int64(size))) - size {
									_, _ = s.insert(context.Background(), make([]int, min(size, c.items-lo)))
								}
							})
						}
						all.Wait()
					})
					hand = min(hand, took)
				}
			}
			// One run in twenty asks with fewer calls in flight just before the end, and is a batch
			// longer: what is claimed is claimed of the middle one of three.
			var all []time.Duration
			for range 3 {
				var report amorsize.Report
				took, s := run(func(s *bulkService) {
					_, err := amorsize.ExecuteBatches(context.Background(), s.insert, numbers(c.items), amorsize.WithReport(&report))
					require.NoError(t, err)
				})
				t.Logf("by hand %v, ours %v: %d calls, %d at once", hand, took, s.calls.Load(), s.peak.Load())
				require.LessOrEqual(t, s.peak.Load(), c.most, report.Explain())
				require.LessOrEqual(t, took.Seconds(), (c.within+0.1)*hand.Seconds(), report.Explain())
				all = append(all, took)
			}
			slices.Sort(all)
			require.LessOrEqual(t, all[1].Seconds(), c.within*hand.Seconds())
		})
	}
}

// Batches that fail at once say nothing about what size is good.
func TestFailedBatchesAreNotFastOnes(t *testing.T) {
	run := func(bad func(int) bool) (elapsed time.Duration, calls int64) {
		synctest.Test(t, func(t *testing.T) {
			s := &bulkService{overhead: 20 * ms, item: ms}
			start := time.Now()
			_, _ = amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, b []int) ([]int, error) {
				if slices.ContainsFunc(b, bad) {
					s.calls.Add(1)
					time.Sleep(ms)
					return nil, errors.New("one item is bad")
				}
				return s.insert(ctx, b)
			}, numbers(20000), amorsize.WithErrors(amorsize.Collect), amorsize.WithMaxChunkSize(200))
			elapsed, calls = time.Since(start), s.calls.Load()
		})
		return elapsed, calls
	}
	took, clean := run(func(int) bool { return false })
	for name, bad := range map[string]func(int) bool{
		"60 in clusters": func(i int) bool { return i%1000 < 50 && i%20 == 7 },
		"60 spread":      func(i int) bool { return i%333 == 100 },
		"one, early":     func(i int) bool { return i == 7 },
		"one":            func(i int) bool { return i == 5000 },
	} {
		slower, calls := run(bad)
		t.Logf("%s: %d calls in %v; %d calls in %v with none", name, calls, slower, clean, took)
		require.LessOrEqual(t, calls, 5*clean, name)
	}
}

// A service that takes so many items and refuses more without saying so loses the
// batches that found that out, and few others.
func TestHiddenBatchLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &bulkService{overhead: 20 * ms, item: 100 * time.Microsecond}
		var report amorsize.Report
		_, err := amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, b []int) ([]int, error) {
			if len(b) > 100 {
				return nil, errors.New("bad request")
			}
			return s.insert(ctx, b)
		}, numbers(20000), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
		require.Error(t, err)
		t.Logf("%d lost, %d calls", report.Failed, s.calls.Load())
		require.LessOrEqual(t, report.Failed, 1500)
		require.LessOrEqual(t, s.calls.Load(), int64(500))
	})
}

// tooLarge are ways to say that a batch is too large.
var tooLarge = map[string]error{
	"status 413": statusError(413), "status 414": statusError(414), "SQLSTATE": sqlError("54000"),
	"words": errors.New("kafka: message too large"), "a method": sizeError{},
	"wrapped": fmt.Errorf("insert: %w", statusError(413)),
}

type statusError int

func (e statusError) Error() string   { return fmt.Sprint("status ", int(e)) }
func (e statusError) StatusCode() int { return int(e) }

type sqlError string

func (e sqlError) Error() string    { return string(e) }
func (e sqlError) SQLState() string { return string(e) }

type sizeError struct{}

func (sizeError) Error() string  { return "no" }
func (sizeError) TooLarge() bool { return true }

// A batch that is refused as too large is split, down to one item, and nothing is
// lost; a retrier does not try it again as it is.
func TestTooLargeBatchesAreSplit(t *testing.T) {
	for name, refusal := range tooLarge {
		for _, size := range []int{0, 64} { // found, and fixed
			for _, policies := range [][]amorsize.Policy{nil, {retry.MustNew(retry.Policy{MaxRetries: 3})}} {
				synctest.Test(t, func(t *testing.T) {
					var refused atomic.Int64
					runs := make([]atomic.Int64, 5000)
					opts := []amorsize.Option{amorsize.WithErrors(amorsize.Collect), amorsize.WithPolicies(policies...)}
					if size > 0 {
						opts = append(opts, amorsize.WithChunkSize(size))
					}
					var report amorsize.Report
					out, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, b []int) ([]int, error) {
						time.Sleep(5 * ms)
						weight := 0
						for _, i := range b {
							weight += 1 + i%3
							if i == 4321 {
								weight += 1000 // alone too much
							}
						}
						if weight > 50 {
							refused.Add(1)
							return nil, refusal
						}
						for _, i := range b {
							runs[i].Add(1)
						}
						return b, nil
					}, numbers(5000), append(opts, amorsize.WithReport(&report))...)
					require.ErrorIs(t, err, refusal, name)
					require.Equal(t, 1, report.Failed, name)
					for i := range out {
						if i != 4321 {
							require.Equal(t, i, out[i], name)
							require.EqualValues(t, 1, runs[i].Load())
							require.True(t, report.Valid(i))
						}
					}
					require.False(t, report.Valid(4321))
					if size == 0 {
						require.LessOrEqual(t, refused.Load(), int64(100), "%s: split again and again", name)
					}
				})
			}
		}
	}
}

// A batch function can say which of its items failed: the others count, and a retry
// is given only those.
func TestPartialBatches(t *testing.T) {
	errBad, errOnce := errors.New("bad item"), errors.New("not now")
	for _, policies := range [][]amorsize.Policy{nil, {retry.MustNew(retry.Policy{MaxRetries: 3})}} {
		synctest.Test(t, func(t *testing.T) {
			const n = 3000
			var tried, done [n]atomic.Int64
			var report amorsize.Report
			out, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, b []int) ([]int, error) {
				time.Sleep(5 * ms)
				results, failed := make([]int, len(b)), map[int]error{}
				for k, i := range b {
					switch tries := tried[i].Add(1); {
					case i%100 == 13:
						failed[k] = errBad
					case i%10 == 4 && tries == 1:
						failed[k] = errOnce
					default:
						done[i].Add(1)
						results[k] = i + 1
					}
				}
				if len(failed) > 0 {
					return results, fmt.Errorf("insert: %w", &amorsize.PartialError{Failed: failed})
				}
				return results, nil
			}, numbers(n), amorsize.WithErrors(amorsize.Collect), amorsize.WithPolicies(policies...), amorsize.WithReport(&report))
			var all *amorsize.Errors
			require.ErrorAs(t, err, &all)
			require.ErrorIs(t, err, errBad)
			attempts := 1
			if policies != nil {
				attempts = 4
			}
			failures := map[int]*amorsize.ItemError{}
			for _, e := range all.Unwrap() {
				item, ok := errors.AsType[*amorsize.ItemError](e)
				require.True(t, ok, "%v", e)
				failures[item.Index] = item
			}
			require.Len(t, failures, report.Failed)
			for i := range n {
				bad := i%100 == 13 || policies == nil && i%10 == 4
				require.Equal(t, bad, failures[i] != nil)
				require.Equal(t, !bad, report.Valid(i))
				if bad {
					require.EqualValues(t, attempts, tried[i].Load())
					require.Equal(t, attempts, failures[i].Attempts)
					require.Zero(t, out[i])
				} else {
					require.Equal(t, i+1, out[i])
					require.EqualValues(t, 1, done[i].Load(), "item %d was done twice", i)
				}
			}
		})
	}
}

// An error that names items that the batch does not have is one of the whole batch.
func TestPartialErrorOutOfRange(t *testing.T) {
	for _, failed := range []map[int]error{nil, {-1: errors.ErrUnsupported}, {7: errors.ErrUnsupported}, {0: nil}} {
		_, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, b []int) ([]int, error) {
			return b, &amorsize.PartialError{Failed: failed}
		}, numbers(5), amorsize.WithChunkSize(5))
		var batch *amorsize.BatchError
		require.ErrorAs(t, err, &batch)
	}
}

// A service with one writer whose lock is polled at ever longer intervals, as SQLite's
// is, serves the same caller again and again while another one gets nowhere. One that
// waits like that is waited for, and not outrun until the end of the run.
func TestUnfairWriter(t *testing.T) {
	delays := []time.Duration{1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100}
	synctest.Test(t, func(t *testing.T) {
		var lock sync.Mutex
		var longest, calls atomic.Int64
		insert := func(_ context.Context, b []int) ([]int, error) {
			began := time.Now()
			for i := 0; !lock.TryLock(); i++ {
				time.Sleep(delays[min(i, len(delays)-1)] * ms)
			}
			defer lock.Unlock()
			longest.Store(max(longest.Load(), int64(time.Since(began)))) // the lock is held
			n := time.Duration(calls.Add(1))                             // no two take the same time, as no poll meets a release
			time.Sleep(500*time.Microsecond + n*137%500*time.Microsecond + time.Duration(len(b))*3*time.Microsecond)
			return b, nil
		}
		start := time.Now()
		var report amorsize.Report
		_, err := amorsize.ExecuteBatches(t.Context(), insert, numbers(600_000), amorsize.WithReport(&report))
		require.NoError(t, err)
		loop := 120*500*time.Microsecond + 600_000*3*time.Microsecond
		t.Logf("%.2f × the loop, the longest wait %v", time.Since(start).Seconds()/loop.Seconds(), time.Duration(longest.Load()))
		require.Less(t, time.Since(start).Seconds(), 1.1*loop.Seconds(), report.Explain())
		require.Less(t, time.Duration(longest.Load()), 200*ms) // a trial of two at once lasts four calls
	})
}

// One call that takes long for a reason of its own, early or late, costs no more than a
// call or two like it: it does not decide on the size of all others. Nor does what the
// process held before, of which a first call that takes long may hold all, as far as is known.
func TestStalledBatch(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2560 * mib)) // 64 calls of 32 MiB
	for held, stalls := range map[int][]time.Duration{0: {20 * ms, 50 * ms, 200 * ms, time.Second}, 32 * mib: {200 * ms, time.Second}} {
		ballast := make([]byte, held)
		for _, stall := range stalls {
			for late := int64(1); late <= 10; late++ {
				synctest.Test(t, func(t *testing.T) { stalledBatch(t, stall, late) })
			}
		}
		runtime.KeepAlive(ballast)
	}
}

func stalledBatch(t *testing.T, stall time.Duration, late int64) {
	s := &bulkService{overhead: 5 * ms, item: 10 * time.Microsecond, slots: make(chan struct{}, 4)}
	start := time.Now()
	var n atomic.Int64
	_, err := amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, b []int) ([]int, error) {
		if n.Add(1) == late {
			time.Sleep(stall)
		}
		return s.insert(ctx, b)
	}, numbers(20_000))
	require.NoError(t, err)
	undisturbed := 184 * ms
	require.LessOrEqual(t, time.Since(start), 2*undisturbed+stall*3/2, "call %d took %v longer: %d calls", late, stall, n.Load())
}
