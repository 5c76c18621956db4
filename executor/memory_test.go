package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

func TestFlightCountsAt(t *testing.T) {
	require.Equal(t, firstAge, load{}.countsAt(time.Hour))
	require.Equal(t, firstAge, load{ended: -1}.countsAt(time.Hour))
	require.Equal(t, unitAge, load{ended: 1}.countsAt(time.Millisecond))
	require.Equal(t, 2*time.Millisecond, load{ended: 1}.countsAt(4*time.Millisecond), "half of what one takes")
}

// The most that a unit can hold, by what is known.
func TestMemoryMost(t *testing.T) {
	h := sampling.Heap{Allocated: 500, Objects: 1000}
	for name, c := range map[string]struct {
		m    *memory
		f    load
		want float64
	}{
		"nothing":                      {&memory{}, load{}, unknownUnit},
		"what was known before":        {&memory{heapBefore: heapBefore{prior: 0.5}}, load{}, 0.5},
		"in load":                      {&memory{}, load{units: 4}, 100},
		"one in load":                  {&memory{}, load{units: 1}, 400},
		"rather than before":           {&memory{heapBefore: heapBefore{prior: 5}}, load{units: 4}, 100},
		"in load, begun before":        {&memory{heapBefore: heapBefore{late: true}}, load{units: 4}, 250},
		"the rest of the process":      {&memory{heapBefore: heapBefore{late: true}, line: line{base: 700}}, load{units: 4}, 75},
		"all of it":                    {&memory{heapBefore: heapBefore{late: true}, line: line{base: 2000}}, load{units: 4}, 0},
		"what one held":                {&memory{first: 300}, load{units: 4}, 300},
		"what it held, and one ended":  {&memory{first: 300}, load{units: 4, ended: 1}, 100},
		"ended":                        {&memory{}, load{ended: 2}, 200},
		"ended, one":                   {&memory{}, load{ended: 1}, 400},
		"ended, and less in load":      {&memory{}, load{units: 4, ended: 2}, 100},
		"ended, and more in load":      {&memory{heapBefore: heapBefore{late: true}}, load{units: 4, ended: 2}, 200},
		"a collection":                 {&memory{line: line{known: true, unit: 7}}, load{units: 4, ended: 2}, 7},
		"a collection, of more":        {&memory{line: line{known: true, unit: 900}}, load{units: 4, ended: 2}, 200},
		"a collection that told of it": {&memory{line: line{known: true, unit: 900}}, load{units: 4}, 900},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.start.Allocated = 100
			require.InDelta(t, c.want, c.m.most(h, c.f), 1e-9)
		})
	}
	m := &memory{}
	require.InDelta(t, 250, m.most(h, load{units: 2}), 0)
	require.InDelta(t, 250, m.most(h, load{units: 4}), 0, "what one held is believed until one has ended")
}

// memoryOf is a memory of a limit that lets seven units of a tenth of it be in load.
func memoryOf(h *sampling.Heap) *memory {
	return &memory{limit: 1 << 30, heapBefore: heapBefore{prior: 1 << 30 / 10}, heap: func() sampling.Heap { return *h }}
}

func TestMemoryLook(t *testing.T) {
	h := sampling.Heap{Allocated: 1, Objects: 2, Live: 3}
	m := memoryOf(&h)
	require.False(t, m.look(0, load{want: 7}))
	require.False(t, m.binds, "as many as are wanted")
	require.EqualValues(t, 7, m.allowed.Load())
	require.Equal(t, h, m.seen)
	m.limit = 0
	h.Live = 4
	require.False(t, m.look(0, load{want: 1000}))
	require.EqualValues(t, 3, m.seen.Live, "without a limit nobody looks")
}

// Up to the next look, more is allowed than is wanted, by powers of two.
func TestMemoryAllows(t *testing.T) {
	var h sampling.Heap
	m := memoryOf(&h)
	m.prior = 1 << 20 // 806 of them
	for want, allowed := range map[int]int64{3: 512, 512: 512, 513: 513, 806: 806} {
		m.ask.Store(true)
		m.giant = 5
		require.False(t, m.look(0, load{want: want}))
		require.False(t, m.binds)
		require.Equal(t, allowed, m.allowed.Load())
		require.False(t, m.ask.Load())
		require.Zero(t, m.giant)
	}
	m.look(0, load{want: 807})
	require.True(t, m.binds)
	require.EqualValues(t, 806, m.allowed.Load())
	require.False(t, m.ask.Load())
	require.InDelta(t, 1<<20, m.unit, 0)
}

// Where one seems too large, the heap without it would tell more.
func TestMemoryOfGiants(t *testing.T) {
	h := sampling.Heap{Allocated: 4 << 30, Objects: 2 << 30}
	m := memoryOf(&h)
	m.prior = 2 << 30
	m.look(0, load{want: 9})
	require.EqualValues(t, 1, m.allowed.Load())
	require.True(t, m.ask.Load())
	require.Zero(t, m.giant, "nothing has begun")
	m.look(0, load{want: 9, units: 1})
	require.InDelta(t, float64(2<<30), m.giant, 0)
	h.Objects = 3 << 29
	m.look(0, load{want: 9, units: 1, ended: 1})
	require.InDelta(t, float64(2<<30), m.giant, 0, "the largest of them")
	m.line = line{known: true, varied: true, unit: 1 << 30}
	m.giant = 0
	m.look(0, load{want: 9, units: 1})
	require.False(t, m.ask.Load())
	require.Zero(t, m.giant, "not more than the limit")
	m.line.unit = 1<<30 + 1
	m.look(0, load{want: 9, ended: 1})
	require.InDelta(t, 1<<30+1, m.giant, 0)
}

// When a collection would tell more, and when what it told is taken.
func TestMemoryCollections(t *testing.T) {
	for _, c := range []struct {
		f   load
		due bool
	}{
		{load{units: 1}, true}, {load{}, false}, {load{units: 4, young: 1}, true}, {load{units: 4, young: 2}, false},
		{load{units: 3, young: 1}, false},
	} {
		h := sampling.Heap{Allocated: 1 << 40, Objects: 1 << 40}
		m := memoryOf(&h)
		c.f.want = 9
		require.Equal(t, c.due, m.look(0, c.f), "%+v", c.f)
		m.next = 5
		require.False(t, m.look(4, c.f))
		require.Equal(t, c.due, m.look(5, c.f))
	}

	taken := func(before, now load, change func(m *memory, h *sampling.Heap)) bool {
		h := sampling.Heap{Allocated: 1 << 40, Objects: 1}
		m := memoryOf(&h)
		m.look(0, before)
		h.Live = cheapHeap + 1
		change(m, &h)
		m.look(0, now)
		require.Equal(t, now.units, m.units)
		require.False(t, m.forced)
		return m.line.weight > 0
	}
	four, one := load{units: 4, want: 9}, load{units: 1, want: 9}
	itsOwn := func(*memory, *sampling.Heap) {}
	forced := func(m *memory, h *sampling.Heap) { h.Live, m.forced = 0, true }
	for _, why := range []func(*memory, *sampling.Heap){itsOwn, forced} {
		require.True(t, taken(four, four, why))
		require.True(t, taken(one, one, why))
		require.True(t, taken(four, load{units: 5, want: 9}, why))
		require.True(t, taken(load{units: 5, want: 9}, four, why))
		require.True(t, taken(four, load{units: 4, young: 1, want: 9}, why))
		require.False(t, taken(four, load{units: 6, want: 9}, why), "many came")
		require.False(t, taken(four, load{units: 5, young: 1, want: 9}, why), "or may not have allocated yet")
		require.False(t, taken(four, load{want: 9}, why))
		require.False(t, taken(load{want: 9}, four, why))
		require.False(t, taken(load{want: 9}, load{want: 9}, why))
	}
	require.False(t, taken(four, four, func(_ *memory, h *sampling.Heap) { h.Live = cheapHeap }), "it could be asked for")
	require.False(t, taken(four, four, func(m *memory, _ *sampling.Heap) { m.seen.Live = cheapHeap + 1 }), "there was none")
	require.False(t, taken(four, four, func(m *memory, _ *sampling.Heap) { m.seen.Objects = 0 }), "nothing was seen before")
}

func TestMemoryDue(t *testing.T) {
	m := &memory{heapBefore: heapBefore{began: time.Second}}
	require.True(t, m.due(time.Second, sampling.Heap{Live: cheapHeap}))
	dear := sampling.Heap{Live: cheapHeap + 1}
	after := time.Second + collectShare*(cheapHeap+1)
	require.False(t, m.due(after-1, dear))
	require.True(t, m.due(after, dear))
}

// What was forced is not forced again soon.
func TestMemoryForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := time.Millisecond
		m := &memory{collections: collections{collect: func() { time.Sleep(took) }}}
		m.force()
		require.True(t, m.forced)
		require.Equal(t, firstPause, m.pause)
		require.Equal(t, clock.Now()+collectShare*time.Millisecond, m.next)
		took = 0
		m.force()
		require.Equal(t, 2*firstPause, m.pause)
		require.Equal(t, clock.Now()+2*firstPause, m.next)
		m.pause = 99 * time.Millisecond
		m.force()
		require.Equal(t, lastPause, m.pause)
	})
}

func TestMemoryLearns(t *testing.T) {
	m := &memory{collections: collections{pause: 7}, heapBefore: heapBefore{start: sampling.Heap{Allocated: 100}}}
	m.learn(sampling.Heap{Live: 900, Allocated: 500}, 4)
	require.InDelta(t, 100, m.line.unit, 1e-9, "no more than was allocated since")
	require.InDelta(t, 500, m.line.base, 1e-9)
	require.Zero(t, m.pause, "things change")
	m.pause = 7
	m.learn(sampling.Heap{Live: 1000, Allocated: 600}, 4) // 25 more of each
	require.InDelta(t, 125, m.line.unit, 1e-9)
	require.EqualValues(t, 7, m.pause)
	m.learn(sampling.Heap{Live: 3000, Allocated: 2600}, 4)
	require.Zero(t, m.pause)
	m = &memory{heapBefore: heapBefore{late: true}}
	m.learn(sampling.Heap{Live: 900, Allocated: 500}, 4)
	require.InDelta(t, 225, m.line.unit, 1e-9, "all may be theirs")
}

// Without a unit in load, what is live is the rest of the process.
func TestMemoryEmpty(t *testing.T) {
	h := sampling.Heap{Live: 100, Allocated: 100}
	m := memoryOf(&h)
	m.ask.Store(true)
	m.units, m.forced = 3, true
	m.empty()
	require.Equal(t, h, m.seen)
	require.Zero(t, m.units)
	require.False(t, m.forced)
	require.False(t, m.ask.Load())
	require.False(t, m.line.known)
	require.InDelta(t, 1, m.line.weight, 0)
	m.learn(sampling.Heap{Live: 300, Allocated: 300}, 2)
	require.InDelta(t, 100, m.line.base, 1e-9)
	require.InDelta(t, 100, m.line.unit, 1e-9)
}

func TestMemoryCalls(t *testing.T) {
	m := new(memory)
	require.Equal(t, 40, m.calls(3, 40), "no limit")
	require.Equal(t, 40, m.fit(40, 3))
	m.allowed.Store(1)
	require.Equal(t, 1, m.calls(1, 40))
	require.Equal(t, 1, m.fit(40, 1))
	m.allowed.Store(10)
	require.Equal(t, 3, m.calls(3, 40))
	require.Equal(t, 2, m.calls(3, 2))
	require.Equal(t, 10, m.calls(0, 40))
	require.Equal(t, 1, m.calls(20, 40))
	require.Equal(t, 3, m.fit(40, 3))
	require.Equal(t, 2, m.fit(2, 3))
	require.Equal(t, 10, m.fit(40, 0))
	require.Equal(t, 1, m.fit(40, 20))
}

func TestMemoryTells(t *testing.T) {
	m := &memory{limit: 1 << 20, unit: 1 << 18, by: "GOMEMLIMIT"}
	require.Equal(t, "memory: a call uses 512 KiB, the limit is 0.977 MiB", (&memory{limit: 1000 << 10, unit: 1 << 18}).reason(2))
	require.Equal(t, "memory: a call uses 256 KiB, the limit is 1 MiB", m.reason(0))
	require.Empty(t, m.warnings())
	m.giant = 0.5
	require.Equal(t, []string{"memory: one call uses 0.5 B, more than the 1 MiB of GOMEMLIMIT: calls ran one at a time"}, m.warnings())
	m.giant = 0
	for n := range 16 {
		m.late, m.binds, m.line.known, m.line.varied = n&1 > 0, n&2 > 0, n&4 > 0, n&8 > 0
		require.Equal(t, n == 7, len(m.warnings()) == 1)
	}
	for n, text := range map[float64]string{999: "999 B", 1000: "0.977 KiB", 999 << 10: "999 KiB", 1000 << 20: "0.977 GiB", 3 << 31: "6 GiB", 4 << 40: "4.1e+03 GiB"} {
		require.Equal(t, text, inBytes(n))
	}
}
