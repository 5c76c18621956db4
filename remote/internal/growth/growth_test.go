package growth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var costs = Params{
	Slots: 3, ChunkTime: 250 * time.Millisecond, Cores: 2, Fetch: 130 * time.Microsecond, Commit: 130 * time.Microsecond,
	Beat: 100 * time.Microsecond, Heartbeat: 2 * time.Second, Look: 150 * time.Microsecond, LookEvery: time.Second,
	Length: 60 * time.Second, Seed: 1,
}

// Where nothing binds, what is played is what arithmetic says.
func TestByArithmetic(t *testing.T) {
	p := costs
	p.Workers = 10
	f := Play(p)
	assert.InEpsilon(t, 40, f.Chunks, 0.05, "4 per second and worker")
	assert.Greater(t, f.Busy, 0.97)
	share := (40*260e-6 + 10*(100e-6/2+150e-6)) / 2
	assert.InEpsilon(t, share, f.Database, 0.1)
}

// Where the database binds, it is busy, and workers are not.
func TestBound(t *testing.T) {
	p := costs
	p.Workers = 5000
	p.Length = 20 * time.Second
	f := Play(p)
	assert.Greater(t, f.Database, 0.98)
	assert.Less(t, f.Busy, 0.6)
	p.ChunkTime = 10 * time.Second // what the rule for chunks makes of it
	p.Length = 100 * time.Second
	assert.Greater(t, Play(p).Busy, 0.9)
}
