package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// At the end of a run, what waits for its listeners is delivered for a while if they are fast, and dropped
// after two slow calls; the events that nobody may miss come in any case.
func TestFarewell(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration // a call of the observer
		told  int           // chunks
	}{
		"at once":       {0, 200},
		"fast":          {slowCall / 3, 200},
		"not fast":      {slowCall * 3 / 4, 134}, // in 100 ms
		"slow":          {slowCall + 1, 2},
		"one takes all": {farewell + 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			told := map[EventKind]int{}
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) {
				told[e.Kind]++
				time.Sleep(c.takes)
			})}}, 200, 0)
			for range 200 {
				e.chunk(1, 1)
			}
			e.tell(Event{Kind: Planned})
			e.close()
			var report Report
			require.Empty(t, e.finish(&report), name)
			require.Equal(t, c.told, told[ChunkDone], name)
			require.Equal(t, 200-c.told, report.Dropped, name)
			require.Equal(t, []int{1, 1}, []int{told[Planned], told[Finished]}, name)
		})
	}
}
