package chunking

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestItems(t *testing.T) {
	for name, c := range map[string]struct {
		Conditions
		want int
	}{
		"of 1 ms, one at a time": {Conditions{Rate: 1000, Workers: 1, Capacity: 4000}, 250},
		"of 50 ms, 100 at once":  {Conditions{Rate: 2000, Workers: 4, Capacity: 4000}, 500},
		"of 10 µs on two cores":  {Conditions{Rate: 200_000, Workers: 1, Capacity: 4000}, MaxItems},
		"of 10 s, one at a time": {Conditions{Rate: 0.1, Workers: 1, Capacity: 4000}, 1},
		"a thousand workers":     {Conditions{Rate: 1000, Workers: 1000, Capacity: 4000}, 1000},
		"a hundred thousand":     {Conditions{Rate: 1, Workers: 100_000, Capacity: 4000}, 10},
		"few are left":           {Conditions{Rate: 1000, Workers: 4, Capacity: 4000, Left: 640}, 20},
		"fewer than workers":     {Conditions{Rate: 1000, Workers: 4, Capacity: 4000, Left: 3}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.Time = 250 * time.Millisecond
			assert.Equal(t, c.want, c.Items())
		})
	}
}

func TestSlots(t *testing.T) {
	assert.Equal(t, 3, Slots(1000, 250, 250*time.Millisecond, 256), "two chunks' time, and one more")
	assert.Equal(t, 2, Slots(1000, 100_000, 250*time.Millisecond, 256))
	assert.Equal(t, 256, Slots(1e6, 1, 250*time.Millisecond, 256))
	assert.Equal(t, 16, Slots(0, 100, 250*time.Millisecond, 256))
	assert.Equal(t, 256, Slots(0, 1, 250*time.Millisecond, 256))
	assert.Equal(t, 4, Slots(0, 0, 250*time.Millisecond, 4))
}
