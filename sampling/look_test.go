package sampling_test

import (
	"bytes"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// tied reports whether the calling goroutine is tied to its thread, as its stack trace tells.
func tied() bool {
	head := make([]byte, 96)
	return bytes.Contains(head[:runtime.Stack(head, false)], []byte("locked to thread"))
}

// The caller's goroutine is tied to its thread while its CPU time is measured. A sampler
// abandoned in the midst of that leaves nothing tied, and unties nothing of the caller's.
func TestStop(t *testing.T) {
	s := sampling.Start(1000, 500)
	require.False(t, tied())
	s.Record(s.Next())
	require.True(t, tied())
	s.Stop()
	require.False(t, tied())
	runtime.LockOSThread()
	s.Stop()
	require.True(t, tied())
	runtime.UnlockOSThread()
	s.Finish()
	require.False(t, tied())
	require.True(t, s.Done())

	s = sampling.Start(1000, 500)
	s.Record(s.Next())
	s.Record(s.Next())
	s.Finish()
	require.False(t, tied())
}

// Two looks, one item each, and then the goroutine is free while more items are measured.
func TestTiedWhileLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(1000, 10)
		for i := range 10 {
			require.Equal(t, i == 1 || i == 2, tied(), i)
			require.Equal(t, i > 2, s.Sample().CPUKnown, i)
			require.Equal(t, i > 2, s.Sample().AllocKnown, i)
			require.False(t, s.Done())
			require.Equal(t, 1, s.Next())
			time.Sleep(time.Millisecond)
			s.Record(1)
		}
		require.True(t, s.Done())
	})
}

// A look that is ended tells what it has seen, if that is anything.
func TestLookEnds(t *testing.T) {
	for _, c := range []struct {
		size, items int // asked for, and run after the first
		each        time.Duration
		cpu, alloc  bool
	}{
		{1000, 0, time.Millisecond, false, false},
		{1000, 1, time.Millisecond, false, false}, // waiting was seen once
		{1000, 2, time.Millisecond, true, true},
		{2, 1, time.Millisecond, true, true},
		{2, 1, sampling.CPUResolution, true, true},
		{2, 1, sampling.CPUResolution - 1, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sampling.Start(1<<20, c.size)
			s.Record(1)
			for range c.items {
				time.Sleep(c.each)
				s.Record(1)
			}
			time.Sleep(time.Millisecond)
			s.Finish()
			sample := s.Sample()
			require.Equal(t, c.cpu, sample.CPUKnown, c)
			require.Equal(t, c.alloc, sample.AllocKnown, c)
			require.Zero(t, sample.CPUShare, c)
		})
	}
}

// What items allocate is what they allocate during the look.
func TestAllocated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(10_000, 500)
		var kept []byte
		for !s.Done() {
			k := s.Next()
			if !s.Sample().AllocKnown {
				for range k {
					kept = make([]byte, 1<<20)
				}
			}
			time.Sleep(time.Duration(k) * 20 * time.Microsecond)
			s.Record(k)
		}
		s.Finish()
		sample := s.Sample()
		require.True(t, sample.AllocKnown)
		require.InDelta(t, len(kept), sample.AllocBytes, 1<<16, "others allocate a little meanwhile")
	})
}

// onThread samples calls in real time, on a thread that has computed before.
func onThread(t *testing.T, call func()) sampling.Sample {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NotZero(t, compute())
	if _, ok := sampling.CurrentThread().CPU(); !ok {
		t.Skip("this system tells no CPU time")
	}
	s := sampling.Start(1000, 4)
	for !s.Done() {
		k := s.Next()
		for range k {
			call()
		}
		s.Record(k)
	}
	return s.Sample()
}

// Calls that compute are seen to, and those that wait for another goroutine to compute
// don't, whatever their thread has done before.
func TestOnACore(t *testing.T) {
	sample := onThread(t, func() { require.NotZero(t, compute()) })
	require.True(t, sample.CPUKnown)
	require.Positive(t, sample.CPUShare)
	require.LessOrEqual(t, sample.CPUShare, 1.0)

	questions, answers := make(chan struct{}), make(chan uint32)
	go func() {
		defer close(answers)
		for range questions {
			answers <- compute()
		}
	}()
	sample = onThread(t, func() { questions <- struct{}{}; <-answers })
	close(questions)
	<-answers
	require.True(t, sample.CPUKnown)
	require.Positive(t, sample.CPUShare)
	require.Equal(t, sampling.IOBound, sample.Workload())
}

// Time that is left out is no part of a look.
func TestExcludedFromLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(held time.Duration) sampling.Sample {
			s := sampling.Start(1_000_000, 0)
			s.Patient()
			for !s.Done() {
				k := s.Next()
				time.Sleep(time.Duration(k)*time.Microsecond + held)
				s.Exclude(held)
				s.Record(k)
			}
			sample := s.Sample()
			sample.AllocBytes = 0
			return sample
		}
		require.Equal(t, run(0), run(time.Second))
	})
}

// Waiting is believed only when it has been seen twice: a look begins anew.
func TestWaitingIsSeenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, _ := take(t, 1000, 0, constant(100*time.Microsecond))
		require.Equal(t, sampling.CPUBound, one.Workload(), "not looked at")
		s := sampling.Start(100_000, 0)
		s.Patient()
		start := time.Now()
		for !s.Done() {
			time.Sleep(time.Duration(s.Next()) * 100 * time.Microsecond)
			s.Record(s.Next())
		}
		looked := s.Sample()
		require.True(t, looked.CPUKnown)
		require.Equal(t, sampling.IOBound, looked.Workload())
		require.Greater(t, time.Since(start), time.Millisecond)
	})
}

// A sampler that is patient ends once it knows what the calls do, unless a number was asked for.
func TestPatientEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := func(size int) (n int) {
			s := sampling.Start(1_000_000, size)
			s.Patient()
			for !s.Done() {
				k := s.Next()
				time.Sleep(time.Duration(k) * time.Millisecond)
				s.Record(k)
				n += k
			}
			s.Finish()
			require.True(t, s.Sample().CPUKnown)
			return n
		}
		require.Less(t, count(0), 200)
		require.Equal(t, 5000, count(5000))
	})
}
