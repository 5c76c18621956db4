package store

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/pgtest"
)

// held is a chunk that a worker has, or thinks it has.
type held struct {
	Chunk
	worker string
}

// model plays workers against a store, and keeps what each item should have come to.
type model struct {
	t      *testing.T
	s      *Store
	random *rand.Rand
	run    Run
	items  int64
	held   []held
	dead   map[string]bool
	fails  map[int64]bool // items that fail
	names  int
}

// TestModel plays, at random, workers that take chunks, finish them, give parts away, die, and come back when they were
// buried, while failures are run again: in the end each item has one outcome, its own.
func TestModel(t *testing.T) {
	for seed := range uint64(12) {
		for _, kind := range []string{"sqlite", "postgres"} {
			if kind == "postgres" && seed%4 != 0 {
				continue
			}
			t.Run(fmt.Sprint(kind, seed), func(t *testing.T) {
				o := Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "runs.db"), Log: slog.New(slog.DiscardHandler)}
				if kind == "postgres" {
					o.URL, o.Schema = pgtest.URL(t)
				}
				play(t, opened(t, o), seed)
			})
		}
	}
}

func play(t *testing.T, s *Store, seed uint64) {
	m := &model{t: t, s: s, random: rand.New(rand.NewPCG(seed, 3)), dead: map[string]bool{}, fails: map[int64]bool{}}
	sizes := []int{}
	for range 3 + m.random.IntN(10) {
		sizes = append(sizes, 1+m.random.IntN(9))
	}
	m.run, _ = submitted(t, s, "model", sizes...)
	m.items = m.run.Items
	for i := range m.items {
		m.fails[i] = m.random.IntN(5) == 0
	}
	for range 150 {
		m.step()
	}
	for m.outstanding() > 0 {
		m.take("last")
		for len(m.held) > 0 {
			m.finish(len(m.held) - 1)
		}
	}
	m.check()
}

func (m *model) step() {
	switch n := m.random.IntN(20); {
	case n < 7:
		m.names++
		m.take("w" + strconv.Itoa(m.names))
	case n < 14 && len(m.held) > 0:
		m.finish(m.random.IntN(len(m.held)))
	case n < 17 && len(m.held) > 0:
		m.shed(m.random.IntN(len(m.held)))
	case n < 19 && len(m.held) > 0:
		m.die(m.held[m.random.IntN(len(m.held))].worker)
	case m.outstanding() == 0:
		_, err := m.s.Retry(m.t.Context(), m.run.Key, retried)
		require.NoError(m.t, err)
	}
}

func retried(key string, round int, failures []Failure) []Chunk {
	var chunks []Chunk
	for len(failures) > 0 {
		n := min(3, len(failures))
		c := Chunk{Key: Key{key, round, failures[0].Item}, Count: n}
		for _, f := range failures[:n] {
			c.Items = frame.Append(c.Items, Indexed(f.Item, f.Payload))
		}
		chunks, failures = append(chunks, c), failures[n:]
	}
	return chunks
}

func (m *model) outstanding() int64 {
	n, err := m.s.Tally(m.t.Context(), m.run.Key)
	require.NoError(m.t, err)
	return n.Chunks
}

// take has a new worker take what jobs there are, as River gives them out.
func (m *model) take(worker string) {
	_, err := m.s.Beat(m.t.Context(), Worker{ID: worker, Host: "h", Version: "v"})
	require.NoError(m.t, err)
	claim(m.t, m.s, worker)
	var keys []Key
	require.NoError(m.t, m.s.db.read(m.t.Context(), func(t tx) error {
		_, jobs, err := m.s.running(t, worker)
		for _, j := range jobs {
			keys = append(keys, j.Key())
		}
		return err
	}))
	for _, key := range keys {
		c, there, err := m.s.Chunk(m.t.Context(), key)
		require.NoError(m.t, err)
		if there {
			m.held = append(m.held, held{c, worker})
		}
	}
}

func (m *model) drop(i int) held {
	h := m.held[i]
	m.held = append(m.held[:i], m.held[i+1:]...)
	return h
}

// finish commits a chunk, perhaps of a worker that was buried.
func (m *model) finish(i int) {
	h := m.drop(i)
	items, err := frame.Split(h.Items, h.Count)
	require.NoError(m.t, err)
	d := Done{Key: h.Key, Fence: h.Fence, Count: h.Count}
	for j, item := range items {
		index := h.Start + int64(j)
		if h.Round > 0 {
			index, item, err = Unindexed(item)
			require.NoError(m.t, err)
		}
		switch fails := m.fails[index] && m.random.IntN(3) > 0; {
		case h.Round > 0 && fails:
			d.Failures = append(d.Failures, Failure{Item: index, Attempts: 1, State: Failed, Error: "no"})
		case h.Round > 0:
			d.Failures = append(d.Failures, Failure{Item: index, Attempts: 1, State: Mended, Value: item})
		case fails:
			d.Failed++
			d.Failures = append(d.Failures, Failure{Item: index, Attempts: 1, Error: "no", Payload: item})
			d.Data = frame.AppendOutcome(d.Data, []byte("no"), true)
		default:
			d.Data = frame.AppendOutcome(d.Data, item, false)
		}
	}
	accepted, err := m.s.Commit(m.t.Context(), []Done{d})
	require.NoError(m.t, err)
	if accepted[0] {
		assert.False(m.t, m.dead[h.worker], "of one that was buried")
	}
}

func (m *model) shed(i int) {
	h := m.held[i]
	if h.Count < 2 {
		return
	}
	items, err := frame.Split(h.Items, h.Count)
	require.NoError(m.t, err)
	at := 1 + m.random.IntN(h.Count-1)
	kept, rest := h.Chunk, Chunk{Key: h.Key, Count: h.Count - at, Items: pack(items[at:]), Alone: h.Alone}
	kept.Count, kept.Items = at, pack(items[:at])
	if rest.Start += int64(at); h.Round > 0 {
		rest.Start, _, err = Unindexed(items[at])
		require.NoError(m.t, err)
	}
	shed, err := m.s.Shed(m.t.Context(), kept, []Chunk{rest})
	require.NoError(m.t, err)
	if shed {
		assert.False(m.t, m.dead[h.worker])
		m.held[i].Chunk = kept
	}
}

// die has a worker be buried; what it has it may try to finish later.
func (m *model) die(worker string) {
	m.dead[worker] = true
	require.NoError(m.t, m.s.db.write(m.t.Context(), func(t tx) error {
		_, err := t.exec(`UPDATE @worker SET seen = seen - 10000000 WHERE id = $1`, worker)
		return err
	}))
	_, err := m.s.Reap(m.t.Context(), 6*time.Second, Crashes{Quarantine: 2, Dead: 1000})
	require.NoError(m.t, err)
}

func (m *model) check() {
	complete, err := m.s.Finish(m.t.Context(), m.run.Key)
	require.NoError(m.t, err)
	assert.True(m.t, complete)
	failures := map[int64]Failure{}
	all, err := m.s.Failures(m.t.Context(), m.run.Key, 0, "", 10_000)
	require.NoError(m.t, err)
	for _, f := range all {
		failures[f.Item] = f
		assert.NotEqual(m.t, Again, f.State)
		assert.True(m.t, m.fails[f.Item])
	}
	results, err := m.s.Results(m.t.Context(), m.run.Key, Span{}, 10_000)
	require.NoError(m.t, err)
	next := int64(0)
	for _, r := range results {
		require.Equal(m.t, next, r.Start)
		rest := r.Data
		for range r.Count {
			var data []byte
			var failed bool
			data, failed, rest, err = frame.NextOutcome(rest)
			require.NoError(m.t, err)
			if f, is := failures[next]; failed {
				require.True(m.t, is)
				if data = f.Payload; f.State == Mended {
					data = f.Value
				}
			}
			assert.Equal(m.t, strconv.FormatInt(next, 10), string(data))
			next++
		}
	}
	assert.Equal(m.t, m.items, next)
}
