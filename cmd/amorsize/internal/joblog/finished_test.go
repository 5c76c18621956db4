package joblog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
)

// listed are items of these texts, numbered from a first one.
func listed(first int, texts ...string) iter.Seq[items.Item] {
	return func(yield func(items.Item) bool) {
		for i, text := range texts {
			if !yield(items.Of(first+i, text)) {
				return
			}
		}
	}
}

// skippedOf returns how many items of each text are over.
func skippedOf(done *joblog.Finished, first int, texts ...string) map[string]int {
	count := map[string]int{}
	for _, text := range texts {
		count[text]++
	}
	for it := range done.Left(listed(first, texts...), func() {}) {
		count[it.Text]--
		if count[it.Text] == 0 {
			delete(count, it.Text)
		}
	}
	return count
}

// outcome is what became of an item.
type outcome struct {
	n    int
	text string
	ok   bool
}

// logged is a run: by --resume-failed, unless it left out what had failed.
type logged struct {
	fresh bool
	items []outcome
}

// logOf writes runs, and returns what they say.
func logOf(t *testing.T, runs ...logged) (*joblog.Past, *joblog.Content) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	var lines bytes.Buffer
	write := json.NewEncoder(&lines) // a log that is closed is put onto the disk, which takes its time
	for _, run := range runs {
		flags := [][2]string{{"resume", "true"}}
		if !run.fresh {
			flags = append(flags, [2]string{"resume-failed", "true"})
		}
		require.NoError(t, write.Encode(joblog.Header{Type: "run", V: 1, Command: "run", Flags: flags}))
		for _, o := range run.items {
			e := joblog.Entry{Type: "item", OK: o.ok, Tries: 1}
			e.Describe(items.Of(o.n, o.text))
			require.NoError(t, write.Encode(e))
		}
	}
	require.NoError(t, os.WriteFile(path, lines.Bytes(), 0o600))
	log, past, err := joblog.Open(path, joblog.Continue)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	content, err := joblog.Read(path)
	require.NoError(t, err)
	return past, content
}

func left(done *joblog.Finished, texts ...string) (numbers []int) {
	for it := range done.Left(listed(1, texts...), func() {}) {
		numbers = append(numbers, it.N)
	}
	return numbers
}

// TestSameTexts: of items of one text, those are run again that failed or were not run,
// as long as the input is the same; with another one, as many of them.
func TestSameTexts(t *testing.T) {
	for _, c := range []struct {
		log    []outcome
		input  []string
		resume []int // what it runs
		again  []int // what --resume-failed runs
	}{
		{[]outcome{{1, "x", false}, {2, "x", true}}, []string{"x", "x"}, nil, []int{1}},
		{[]outcome{{2, "x", true}, {1, "x", false}}, []string{"x", "x"}, nil, []int{1}},
		{[]outcome{{1, "x", true}, {2, "x", false}}, []string{"x", "x"}, nil, []int{2}},
		{[]outcome{{2, "x", true}}, []string{"x", "x"}, []int{1}, []int{1}},
		{[]outcome{{3, "x", true}, {1, "x", false}}, []string{"x", "x", "x"}, []int{2}, []int{1, 2}},
		// Lines have come, and gone: the only one of its text is over.
		{[]outcome{{2, "x", true}}, []string{"x"}, nil, nil},
		{[]outcome{{2, "x", true}}, []string{"x", "y", "x"}, []int{2, 3}, []int{2, 3}},
		{[]outcome{{1, "x", true}, {2, "x", false}}, []string{"y", "x", "x"}, []int{1}, []int{1, 3}},
		{[]outcome{{1, "x", true}}, []string{"y", "x", "x"}, []int{1, 3}, []int{1, 3}},
	} {
		past, _ := logOf(t, logged{items: c.log})
		require.Equal(t, c.resume, left(past.Finished(false), c.input...), "%v, %v", c.log, c.input)
		past, _ = logOf(t, logged{items: c.log})
		require.Equal(t, c.again, left(past.Finished(true), c.input...), "%v, %v", c.log, c.input)
	}
}

// TestResumed compares runs that continue each other with a model that knows each item by
// its number; a last run has another input, of which as many items are left out as can be.
func TestResumed(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 80 {
		var input []string
		for range random.IntN(12) {
			input = append(input, fmt.Sprint(random.IntN(3)))
		}
		var runs []logged
		well, failed := map[int]bool{}, map[int]bool{}
		for range 1 + random.IntN(4) {
			again := random.IntN(2) == 0
			var run []outcome
			for _, i := range random.Perm(len(input)) {
				n := i + 1
				if well[n] || failed[n] && !again || !failed[n] && random.IntN(3) == 0 { // over, or not come to
					continue
				}
				well[n] = random.IntN(2) == 0
				failed[n] = !well[n]
				run = append(run, outcome{n, input[i], well[n]})
			}
			runs = append(runs, logged{!again, run})
		}
		for _, again := range []bool{false, true} {
			var want []int
			over := map[string]int{}
			for i, text := range input {
				if n := i + 1; well[n] || failed[n] && !again {
					over[text]++
				} else {
					want = append(want, n)
				}
			}
			past, content := logOf(t, runs...)
			require.Equal(t, want, left(past.Finished(again), input...), "%v of %v", runs, input)
			var numbers []int
			for _, e := range content.Failed() {
				numbers = append(numbers, e.N)
			}
			slices.Sort(numbers)
			var bad []int
			for n := range input {
				if failed[n+1] {
					bad = append(bad, n+1)
				}
			}
			require.Equal(t, bad, numbers, "%v", runs)

			var other []string
			for _, text := range input {
				if random.IntN(3) > 0 {
					other = append(other, text)
				}
				if random.IntN(4) == 0 {
					other = append(other, fmt.Sprint(random.IntN(3)))
				}
			}
			past, _ = logOf(t, runs...)
			skipped := skippedOf(past.Finished(again), 1, other...)
			for _, text := range []string{"0", "1", "2"} {
				n := 0
				for _, o := range other {
					if o == text {
						n++
					}
				}
				require.Equal(t, min(n, over[text]), skipped[text], "%s of %v after %v of %v", text, other, runs, input)
			}
		}
	}
}

// TestFarAhead: one that is further away than is read ahead stands for the first one.
func TestFarAhead(t *testing.T) {
	texts := slices.Repeat([]string{"y"}, 1<<17)
	for _, c := range []struct {
		at   int
		want []int
	}{{1 << 16, []int{1}}, {1<<16 + 2, []int{1<<16 + 2}}} {
		texts[0], texts[c.at-1] = "x", "x"
		past, _ := logOf(t, logged{items: []outcome{{1, "x", false}, {c.at, "x", true}}})
		var numbers []int
		for it := range past.Finished(true).Left(listed(1, texts...), func() {}) {
			if it.Text == "x" {
				numbers = append(numbers, it.N)
			}
		}
		require.Equal(t, c.want, numbers)
		texts[c.at-1] = "y"
	}
	past, _ := logOf(t, logged{items: []outcome{{9, "z", true}}})
	for range past.Finished(true).Left(listed(1, "a", "b"), func() {}) {
		break // the input is left
	}
}
