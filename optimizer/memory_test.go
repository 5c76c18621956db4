package optimizer_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestMemoryWorkers(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct{ per, want int }{{0, 8}, {2, 4}, {20, 1}} {
		require.Equal(t, c.want, optimizer.MemoryWorkers(10*gib, float64(c.per)*gib, 8), "OP-24")
	}
	for _, c := range []struct {
		available  uint64
		per        float64
		most, want int
	}{
		{0, 1, 8, 8}, // unknown binds nothing
		{10, 0, math.MaxInt, math.MaxInt},
		{10, -1, 8, 8},
		{10, 1, 100, 8},
		{1, 1, 100, 1},
		{1 << 62, 1, math.MaxInt, math.MaxInt32},
	} {
		require.Equal(t, c.want, optimizer.MemoryWorkers(c.available, c.per, c.most), c)
	}
}

func TestOfMemory(t *testing.T) {
	for name, want := range map[string]bool{"memory": true, "GOMEMLIMIT": true, "WithMemoryLimit": true, "cores": false, "WithMaxWorkers": false} {
		require.Equal(t, want, optimizer.Limit{Name: name}.OfMemory(), name)
	}
}

// The lowest limit counts; of two that are equal, the host's.
func TestMemoryRoom(t *testing.T) {
	for _, c := range []struct {
		host  sampling.Host
		limit uint64
		bytes uint64
		name  string
	}{
		{sampling.Host{}, 0, 0, "memory"},
		{sampling.Host{}, 1, 1, optimizer.LimitByCaller},
		{sampling.Host{MemoryAvailable: 10}, 0, 10, "memory"},
		{sampling.Host{MemoryAvailable: 10}, 9, 9, optimizer.LimitByCaller},
		{sampling.Host{MemoryAvailable: 10}, 10, 10, "memory"},
		{sampling.Host{MemoryAvailable: 10}, 11, 10, "memory"},
		{sampling.Host{MemoryAvailable: 10, GoMemoryLimit: 8}, 9, 8, "GOMEMLIMIT"},
	} {
		bytes, name := optimizer.MemoryRoom(c.host, optimizer.Constraints{MemoryLimit: c.limit})
		require.Equal(t, c.bytes, bytes, c)
		require.Equal(t, c.name, name, c)
	}
}

// A worker needs what a call holds, or else what it allocates, and its stack.
func TestBoundByMemory(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name        string
		held, alloc float64
		known       bool
		workers     int // asked for
		want        int // 0: no limit
	}{
		{"nothing is known", 0, 0, false, 0, 5120},
		{"allocated", 0, mib, true, 0, 78},
		{"held", mib, 100 * mib, true, 0, 78},
		{"a byte held", 1, 100 * mib, true, 0, 5119},
		{"not known after all", 0, mib, false, 0, 5120},
		{"workers asked for", mib, mib, true, 1, 0},
	} {
		s := sample(ms, 0)
		s.HeldBytes, s.AllocBytes, s.AllocKnown = c.held, c.alloc, c.known
		p := optimizer.New(s, memoryHost(2, 100*mib), optimizer.Constraints{Items: 100_000, Workers: c.workers})
		got := 0
		for _, l := range p.Limits {
			if l.OfMemory() {
				got = l.Workers
			}
		}
		require.Equal(t, c.want, got, c.name)
	}
}
