package amorsize_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/scenarios"
	"github.com/amorsize/amorsize/journal"
)

// Whatever ended the runs before, and wherever its items stand now, a run calls the function
// for those that are missing, and returns the results of all: a property, by a model.
func TestJournalModel(t *testing.T) {
	for seed := range uint64(scenarios.Fewer(60)) {
		random := rand.New(rand.NewPCG(seed, 16))
		path := journalPath(t)
		records := map[int][]string{} // of equal items: "ok", "bad", or "" for none that counts
		for range 6 {
			items := make([]int, random.IntN(300))
			for i := range items {
				items[i] = random.IntN(200)
			}
			var names []string
			for name := range entries {
				names = append(names, name)
			}
			slices.Sort(names)
			name := names[random.IntN(len(names))]
			modelRun(t, random, path, name, items, records)
		}
	}
}

func modelRun(t *testing.T, random *rand.Rand, path, name string, items []int, records map[int][]string) {
	collect, again, bad := random.IntN(2) == 0, random.IntN(4) == 0, random.IntN(3)
	c := &counted{fails: func(item int) error {
		if bad > 0 && item%23 == bad {
			return errRefused
		}
		return nil
	}}
	opts := []amorsize.Option{amorsize.WithWorkers(1 + random.IntN(4))}
	var report amorsize.Report
	opts = append(opts, amorsize.WithReport(&report))
	if collect {
		opts = append(opts, amorsize.WithErrors(amorsize.Collect))
	}
	j, err := journal.Open(path, journal.Options{Sync: journal.SyncNever})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	how := []journal.Mode{}
	if again {
		how = append(how, journal.RetryFailed)
	}
	out, err := entries[name](t.Context(), c, items, append(opts, amorsize.WithJournal(j, how...))...)
	in := map[int]int{}
	for _, item := range items {
		in[item]++
	}
	known, complete := 0, collect || err == nil
	for item, n := range in {
		wanted := n
		for _, ok := range records[item][:min(n, len(records[item]))] {
			if ok == "ok" || ok == "bad" && collect && !again {
				wanted--
			}
		}
		known += n - wanted
		if complete {
			require.Equal(t, wanted, c.calls[item], "%s: item %d", name, item)
		} else {
			require.LessOrEqual(t, c.calls[item], wanted)
		}
	}
	if complete {
		require.Equal(t, len(items), report.Items, name)
		require.Equal(t, known, report.Known, name)
		require.Equal(t, len(items), report.Succeeded+report.Failed, name)
	}
	for i, item := range items {
		isBad := bad > 0 && item%23 == bad
		if complete && !isBad && !slices.Contains(records[item], "bad") {
			require.Equal(t, strconv.Itoa(item*10), out[i], name)
		}
		if out != nil && out[i] != "" {
			require.Equal(t, strconv.Itoa(item*10), out[i], name)
		}
	}
	learn(t, j, in, records)
}

// learn asks the journal what it knows: the model goes on from there, since a run that was
// ended may have done more or less. It knows at least what it knew.
func learn(t *testing.T, j *journal.Journal, in map[int]int, records map[int][]string) {
	for item := range in {
		before := records[item]
		records[item] = nil
		for n := range 50 {
			past, known := j.Find(journal.KeyOf([]byte(strconv.Itoa(item))).Again(n), false)
			state := ""
			switch {
			case known && past.Failure != nil:
				state = "bad"
			case known:
				state = "ok"
				require.Equal(t, strconv.Quote(strconv.Itoa(item*10)), string(past.Result))
			}
			records[item] = append(records[item], state)
		}
		for n, state := range before {
			require.True(t, state != "ok" || records[item][n] == "ok", "what went well has gone well")
		}
	}
}
