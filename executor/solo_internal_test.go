package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

// The heap is read before the first item if memory is limited: it takes a while.
func TestHeapOfALimit(t *testing.T) {
	for limit, read := range map[uint64]bool{0: false, 1 << 30: true} {
		o := newSolo(t.Context(), &calls[int, int]{}, 9, Config{MemoryLimit: limit}, nil, nil)
		require.Equal(t, read, o.heap.Allocated > 0)
		o.release()
	}
}

// The sample tells apart what policies take, if there are some, or a keeper that knows items.
func TestSampleThroughPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"neither": {Config{}, false}, "policies": {Config{Policies: []Policy{passing{}}}, true}, "a keeper": {Config{past: &past{}}, true},
	} {
		o := newSolo(t.Context(), &calls[int, int]{}, 9, c.cfg, nil, nil)
		require.Equal(t, c.want, o.w.policed.sampling, name)
		o.release()
	}
	o := newSolo(t.Context(), &calls[int, int]{}, 9, Config{Policies: []Policy{passing{}, limiter{rate: 5}}}, nil, nil)
	require.InDelta(t, 5, o.cfg.rate, 0, "a policy that declares its rate is asked")
	o.release()
}

// What an item takes, as the caller alone has seen it, counts neither what a policy held its call back nor what the
// keeper took. Where the time in policies is measured, that time is what is left out.
func TestSampledTime(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		policy time.Duration // measured in policies
		want   time.Duration // of an item
	}{
		"a policy within the function": {Config{}, time.Second, 10 * time.Second},
		"a policy around it":           {Config{Policies: []Policy{passing{}}}, time.Second, 12 * time.Second},
		"a keeper around it":           {Config{past: new(past)}, time.Second, 12 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &solo{soloJob: soloJob{cfg: c.cfg}}
			o.alarm = &o.quiet
			o.sampler = sampling.Start(10, 0)
			o.sampler.Precise()
			o.w.call = newCallContext(&runContext{Context: t.Context()}, &c.cfg)
			o.alarm.enter(inBlock)
			o.span, o.w.at, o.w.returned = span{Hi: 1}, 1, true
			time.Sleep(10 * time.Second)
			hold := waiting.BeginWith(o.w.call, waiting.Line{})
			time.Sleep(3 * time.Second)
			hold.End()
			o.w.policed.waited = c.policy
			time.Sleep(time.Minute)
			o.w.keeping = time.Minute
			require.True(t, o.record(nil), name)
			sample := o.sampler.Sample()
			require.Equal(t, 1, sample.Items, name)
			require.Equal(t, c.want, sample.ItemTime(), name)
			require.Zero(t, o.w.keeping, name)
		})
	}
}

// Cheap items are measured within their policies as long as the sample is taken, and no longer: that costs more than they.
func TestOnlyTheSampleIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where calls take no time
		fn := calls[int, int]{items: make([]int, 100), out: make([]int, 100)}
		fn.fn.Plain = func(i int) (int, error) { return i, nil }
		policies := []Policy{passing{}}
		o := newSolo(t.Context(), newGuarded(fn, policies), 100, Config{SampleSize: 5, MaxWorkers: 1, Policies: policies}, nil, nil)
		var err error
		defer o.close(&err)
		err = o.execute()
		require.NoError(t, err)
		require.Equal(t, 100, o.w.at)
		require.EqualValues(t, 5, o.w.policed.ownItems.Load())
	})
}
