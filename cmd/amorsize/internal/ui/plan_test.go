package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// The three lines say what is known of a run, and nothing of what is not.
func TestPlanSaysWhatIsKnown(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	sampled := jobs.Cost{Jobs: 1, Items: 1, Elapsed: time.Second, Wall: 500 * time.Millisecond, CPU: 100 * time.Millisecond}
	const s = time.Second
	for name, c := range map[string]struct {
		total int
		plan  jobs.Plan
		want  []string
	}{
		"no items, the number of slots is the user's": {0, jobs.Plan{Slots: 1, Batch: 1, Fixed: true}, []string{
			"amorsize: 0 items · wc", "  plan: 1 slot, 1 item each, no rate", "  why:  the number was given with --jobs",
		}},
		"not measured": {-1, jobs.Plan{Slots: 2, Batch: 2, Left: -1, Reason: "so it is"}, []string{
			"amorsize: number of items unknown · wc", "  plan: 2 slots, 2 items each, no rate", "  why:  so it is",
		}},
		"measured": {6, jobs.Plan{Slots: 2, Batch: 1, Left: 5, Reason: "so it is", Cost: sampled, Expected: 2 * s, Serial: 4 * s}, []string{
			"amorsize: 6 items · sampled 1 in 1.00 s · wc", "  plan: 2 slots to begin with, 1 item each, no rate",
			"  why:  so it is. Expect 2.00 s (one at a time: 4.00 s)",
		}},
		"one at a time is as fast": {6, jobs.Plan{Slots: 1, Batch: 1, Left: 5, Reason: "so it is", Cost: sampled, Expected: 4 * s, Serial: 4 * s}, []string{
			"amorsize: 6 items · sampled 1 in 1.00 s · wc", "  plan: 1 slot to begin with, 1 item each, no rate", "  why:  so it is. Expect 4.00 s",
		}},
		"measured, but the number of slots is the user's": {6, jobs.Plan{Slots: 2, Batch: 1, Left: 5, Fixed: true, Cost: sampled, Expected: 2 * s, Serial: 4 * s}, []string{
			"amorsize: 6 items · sampled 1 in 1.00 s · wc", "  plan: 2 slots, 1 item each, no rate",
			"  why:  the number was given with --jobs. Expect 2.00 s",
		}},
		"over": {1, jobs.Plan{Slots: 1, Batch: 1, Cost: sampled}, []string{
			"amorsize: 1 item · sampled 1 in 1.00 s · wc", "  plan: none: the sample had all items", "  why:  one job takes 500 ms, of which 100 ms CPU",
		}},
	} {
		require.Equal(t, c.want, strings.Split(term.Plan("wc", c.total, c.plan, "no rate"), "\n"), name)
	}
}

// What a job costs stands beside what each limit allows, whichever of the two has more lines.
func TestExplainSetsCostsBesideLimits(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	limits := []jobs.Limit{{Name: "cpu", Slots: 20}, {Name: "items", Slots: 7}}
	for name, c := range map[string]struct {
		cost jobs.Cost
		want []string
	}{
		"nothing measured": {jobs.Cost{}, []string{"limits slots", "cpu 20", "items 7 <- binds"}},
		"one job": {jobs.Cost{Jobs: 1, CV: 1, Wall: time.Second, CPU: 100 * time.Millisecond}, []string{
			"cost of one job (1 sample, ±100 %) limits slots", "wall 1.00 s cpu 20", "user+sys CPU 100 ms items 7 <- binds", "waiting 900 ms",
		}},
		"of batches": {jobs.Cost{Jobs: 2, Wall: 2 * time.Second, CPU: 3 * time.Second, Start: time.Second, Item: time.Millisecond, Memory: 1}, []string{
			"cost of one job (2 samples, ±0 %) limits slots", "start 1.00 s cpu 20", "each item 1.00 ms items 7 <- binds",
			"wall 2.00 s", "user+sys CPU 3.00 s", "waiting 0 ns", "peak memory 1 B",
		}},
	} {
		var got []string
		for line := range strings.Lines(term.Explain(jobs.Plan{Cost: c.cost, Limits: limits, Binding: "items"})) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		require.Equal(t, c.want, got, name)
	}
}
