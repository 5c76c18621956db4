package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(code int) int {
		if err := goleak.Find(); err != nil && code == 0 {
			println(err.Error())
			return 1
		}
		return code
	})
}

// both runs a test on either database.
func both(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, opened(t, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "runs.db")}))
	})
	t.Run("postgres", func(t *testing.T) {
		url, schema := pgtest.URL(t)
		test(t, opened(t, Options{URL: url, Schema: schema}))
	})
}

func opened(t *testing.T, o Options) *Store {
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Check(t.Context()), "a second time")
	return s
}

// chunks makes chunks of a run, of so many items each, that say what number they have.
func chunks(key string, from int64, sizes ...int) []Chunk {
	all := []Chunk{}
	for _, size := range sizes {
		c := Chunk{Key: Key{Run: key, Start: from}, Count: size}
		for i := range size {
			c.Items = frame.Append(c.Items, strconv.AppendInt(nil, from+int64(i), 10))
		}
		all = append(all, c)
		from += int64(size)
	}
	return all
}

func submitted(t *testing.T, s *Store, id string, sizes ...int) (Run, []Chunk) {
	run, err := s.Create(t.Context(), id, "f", "int → int")
	require.NoError(t, err)
	all := chunks(run.Key, 0, sizes...)
	run, err = s.Append(t.Context(), run, all, []byte("digest"), true)
	require.NoError(t, err)
	return run, all
}

func done(c Chunk) Done {
	d := Done{Key: c.Key, Fence: c.Fence, Count: c.Count}
	for range c.Count {
		d.Data = frame.AppendOutcome(d.Data, []byte("v"), false)
	}
	return d
}

func TestSubmission(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, err := s.Create(t.Context(), "one", "f", "int → int")
		require.NoError(t, err)
		assert.Equal(t, RunOpen, run.State)
		again, err := s.Create(t.Context(), "one", "other", "")
		require.NoError(t, err)
		assert.Equal(t, run, again, "what there is")

		next, err := s.Append(t.Context(), run, chunks(run.Key, 0, 3, 2), []byte("d5"), false)
		require.NoError(t, err)
		assert.EqualValues(t, 5, next.Items)

		// another coordinator, that knows nothing of it
		behind, err := s.Append(t.Context(), run, chunks(run.Key, 0, 4), []byte("d4"), true)
		require.ErrorIs(t, err, ErrCursor)
		assert.EqualValues(t, 5, behind.Items)
		assert.Equal(t, []byte("d5"), behind.Digest)

		next, err = s.Append(t.Context(), next, nil, []byte("d5"), true)
		require.NoError(t, err)
		assert.True(t, next.Sealed)
		_, err = s.Append(t.Context(), next, chunks(run.Key, 5, 1), nil, false)
		require.ErrorIs(t, err, ErrCursor, "it is sealed")

		_, err = s.Find(t.Context(), "none")
		require.ErrorIs(t, err, ErrNoRun)
		n, err := s.Tally(t.Context(), run.Key)
		require.NoError(t, err)
		assert.Equal(t, Tally{Chunks: 2}, n)
	})
}

func TestCommit(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, all := submitted(t, s, "one", 3, 2, 1)
		stale := done(all[1])
		stale.Fence = 7
		failed := done(all[0])
		failed.Failed = 1
		failed.Failures = []Failure{{Item: 1, Attempts: 3, Error: "no", Payload: []byte("1")}}
		failed.Rate, failed.Function = 12.5, "f"
		accepted, err := s.Commit(t.Context(), []Done{done(all[2]), stale, failed})
		require.NoError(t, err)
		assert.Equal(t, []bool{true, false, true}, accepted)

		accepted, err = s.Commit(t.Context(), []Done{done(all[2])})
		require.NoError(t, err)
		assert.Equal(t, []bool{false}, accepted, "it has a result")
		complete, err := s.Finish(t.Context(), run.Key)
		require.NoError(t, err)
		assert.False(t, complete)

		accepted, err = s.Commit(t.Context(), []Done{done(all[1])})
		require.NoError(t, err)
		assert.Equal(t, []bool{true}, accepted)
		complete, err = s.Finish(t.Context(), run.Key)
		require.NoError(t, err)
		assert.True(t, complete)
		run, err = s.Run(t.Context(), run.Key)
		require.NoError(t, err)
		assert.False(t, run.Finished.IsZero())

		results, err := s.Results(t.Context(), run.Key, Span{}, 10)
		require.NoError(t, err)
		require.Len(t, results, 3)
		assert.Equal(t, []int64{0, 3, 5}, []int64{results[0].Start, results[1].Start, results[2].Start})
		n, err := s.Tally(t.Context(), run.Key)
		require.NoError(t, err)
		assert.Equal(t, Tally{Done: 6, Failed: 1}, n)
		rate, workers, err := s.Rate(t.Context(), "f")
		require.NoError(t, err)
		assert.InDelta(t, 12.5, rate, 0)
		assert.Zero(t, workers)
		runs, err := s.Runs(t.Context(), true)
		require.NoError(t, err)
		assert.Empty(t, runs, "finished")
	})
}

func TestRetry(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, all := submitted(t, s, "one", 2)
		d := done(all[0])
		d.Failed = 2
		d.Failures = []Failure{{Item: 0, Attempts: 1, Error: "no", Payload: []byte("a")}, {Item: 1, Attempts: 1, Error: "no", Payload: []byte("b")}}
		_, err := s.Commit(t.Context(), []Done{d})
		require.NoError(t, err)
		count, err := s.Retry(t.Context(), run.Key, func(key string, round int, failures []Failure) []Chunk {
			c := Chunk{Key: Key{key, round, failures[0].Item}, Count: len(failures)}
			for _, f := range failures {
				c.Items = frame.Append(c.Items, Indexed(f.Item, f.Payload))
			}
			return []Chunk{c}
		})
		require.NoError(t, err)
		assert.Equal(t, 2, count)
		n, err := s.Tally(t.Context(), run.Key)
		require.NoError(t, err)
		assert.Equal(t, Tally{Chunks: 1}, n)

		c, there, err := s.Chunk(t.Context(), Key{run.Key, 1, 0})
		require.NoError(t, err)
		require.True(t, there)
		items, err := frame.Split(c.Items, c.Count)
		require.NoError(t, err)
		index, payload, err := Unindexed(items[1])
		require.NoError(t, err)
		assert.EqualValues(t, 1, index)
		assert.Equal(t, "b", string(payload))

		again := Done{Key: c.Key, Count: 2, Failures: []Failure{
			{Item: 0, Attempts: 2, State: Mended, Value: []byte("A")}, {Item: 1, Attempts: 2, State: Failed, Error: "still no"}}}
		accepted, err := s.Commit(t.Context(), []Done{again})
		require.NoError(t, err)
		assert.Equal(t, []bool{true}, accepted)
		failures, err := s.Failures(t.Context(), run.Key, 0, "", 10)
		require.NoError(t, err)
		require.Len(t, failures, 2)
		assert.Equal(t, "A", string(failures[0].Value))
		assert.Equal(t, 3, failures[1].Attempts)
		assert.Equal(t, "still no", failures[1].Error)
		n, err = s.Tally(t.Context(), run.Key)
		require.NoError(t, err)
		assert.Equal(t, Tally{Done: 2, Failed: 1}, n)
	})
}

// claim has a worker take jobs as River does.
func claim(t *testing.T, s *Store, worker string) {
	by := `array_append(attempted_by, $1)`
	if _, lite := s.db.(*sqlite); lite {
		by = `jsonb(json_array($1))`
	}
	require.NoError(t, s.db.write(t.Context(), func(t tx) error {
		_, err := t.exec(`UPDATE @river_job SET state = 'running', attempt = attempt + 1, attempted_by = `+by+` WHERE state = 'available'`, worker)
		return err
	}))
}

// TestReap has a worker die again and again with chunks of which one item, 4, ends it: the chunk of that goes to
// quarantine and is halved until the item is alone, and the other items lose nothing.
func TestReap(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, _ := submitted(t, s, "one", 3, 4, 1)
		limits := Crashes{Quarantine: 2, Dead: 2}
		var total Reaped
		deaths := 0
		for ; deaths < 20; deaths++ {
			name := "w" + strconv.Itoa(deaths)
			buried, err := s.Beat(t.Context(), Worker{ID: name, Host: "h", Version: "v", Functions: []string{"f"}})
			require.NoError(t, err)
			assert.True(t, buried, "it is new")
			buried, err = s.Beat(t.Context(), Worker{ID: name, Host: "h", Version: "v", Functions: []string{"f"}})
			require.NoError(t, err)
			assert.False(t, buried)
			claim(t, s, name)
			died := work(t, s, deaths >= 3)
			require.NoError(t, s.db.write(t.Context(), func(t tx) error {
				_, err := t.exec(`UPDATE @worker SET seen = seen - 10000000`)
				return err
			}))
			reaped, err := s.Reap(t.Context(), 6*time.Second, limits)
			require.NoError(t, err)
			assert.Equal(t, []string{name}, reaped.Workers)
			total.Alone += reaped.Alone
			total.Split += reaped.Split
			total.Items += reaped.Items
			if !died {
				break
			}
		}
		complete, err := s.Finish(t.Context(), run.Key)
		require.NoError(t, err)
		require.True(t, complete)
		assert.Equal(t, Reaped{Alone: 3, Split: 2, Items: 1}, total)
		failures, err := s.Failures(t.Context(), run.Key, 0, Failed, 10)
		require.NoError(t, err)
		require.Len(t, failures, 1)
		assert.EqualValues(t, 4, failures[0].Item)
		assert.Equal(t, "4", string(failures[0].Payload))
		assert.Contains(t, failures[0].Error, "the worker process died while running it")
		n, err := s.Tally(t.Context(), run.Key)
		require.NoError(t, err)
		assert.Equal(t, Tally{Done: 8, Failed: 1}, n)
	})
}

// work works what is in quarantine, one chunk after the other, and the others too if innocent; it returns true if
// item 4 has ended the process.
func work(t *testing.T, s *Store, others bool) bool {
	var keys []Key
	require.NoError(t, s.db.read(t.Context(), func(t tx) error {
		return t.all(`SELECT run, round, start FROM @chunk ORDER BY start`, nil, func(scan func(...any) error) error {
			var k Key
			err := scan(&k.Run, &k.Round, &k.Start)
			keys = append(keys, k)
			return err
		})
	}))
	died := !others
	for _, key := range keys {
		c, there, err := s.Chunk(t.Context(), key)
		require.NoError(t, err)
		require.True(t, there)
		poison := c.Start <= 4 && 4 < c.Start+int64(c.Count)
		if poison {
			died = true
			continue
		}
		if c.Alone || others {
			accepted, err := s.Commit(t.Context(), []Done{done(c)})
			require.NoError(t, err)
			assert.True(t, accepted[0])
		}
	}
	return died
}

func TestSweepAndStrays(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, _ := submitted(t, s, "one", 3, 2)
		found, err := s.Sweep(t.Context(), run)
		require.NoError(t, err)
		assert.Zero(t, found, "they have jobs")
		claim(t, s, "me")
		freed, err := s.Strays(t.Context(), "me", func(int64) bool { return true })
		require.NoError(t, err)
		assert.Zero(t, freed)
		freed, err = s.Strays(t.Context(), "me", func(int64) bool { return false })
		require.NoError(t, err)
		assert.Equal(t, 2, freed)
		require.NoError(t, s.db.write(t.Context(), func(t tx) error {
			_, err := t.exec(`DELETE FROM @river_job`)
			return err
		}))
		found, err = s.Sweep(t.Context(), run)
		require.NoError(t, err)
		assert.Equal(t, 2, found)
	})
}

// A worker that ended without being able to say so, and whose row is gone, is found by its jobs.
func TestGhosts(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		_, all := submitted(t, s, "one", 3, 2)
		_, err := s.Beat(t.Context(), Worker{ID: "me", Host: "h", Version: "v"})
		require.NoError(t, err)
		claim(t, s, "me")
		require.NoError(t, s.Leave(t.Context(), "me"))
		workers, err := s.Workers(t.Context())
		require.NoError(t, err)
		assert.Len(t, workers, 1, "it has jobs, and stays until it is buried")
		ghosts, err := s.Ghosts(t.Context())
		require.NoError(t, err)
		assert.Empty(t, ghosts)
		require.NoError(t, s.db.write(t.Context(), func(t tx) error {
			_, err := t.exec(`DELETE FROM @worker`)
			return err
		}))
		ghosts, err = s.Ghosts(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"me"}, ghosts)
		reaped, err := s.Bury(t.Context(), "me", Crashes{2, 2})
		require.NoError(t, err)
		assert.Equal(t, 2, reaped.Chunks)
		accepted, err := s.Commit(t.Context(), []Done{done(all[0])})
		require.NoError(t, err)
		assert.Equal(t, []bool{false}, accepted, "it was given to others")
		ghosts, err = s.Ghosts(t.Context())
		require.NoError(t, err)
		assert.Empty(t, ghosts)
	})
}

// A run that is removed while its results come in leaves nothing behind.
func TestRemoveBesideCommits(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		sizes := make([]int, 1500)
		for i := range sizes {
			sizes[i] = 1
		}
		run, all := submitted(t, s, "one", sizes...)
		committed := make(chan struct{})
		go func() {
			defer close(committed)
			for i := len(all) - 1; i >= 0; i -= 50 {
				group := []Done{}
				for _, c := range all[max(0, i-49) : i+1] {
					group = append(group, done(c))
				}
				_, _ = s.Commit(t.Context(), group)
			}
		}()
		require.NoError(t, s.Remove(t.Context(), run.Key))
		<-committed
		left := 0
		require.NoError(t, s.db.read(t.Context(), func(t tx) error { return t.one(`SELECT count(*) FROM @chunk`, nil, &left) }))
		assert.Zero(t, left)
	})
}

func TestShed(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		run, all := submitted(t, s, "one", 5)
		kept := chunks(run.Key, 0, 2)[0]
		shed, err := s.Shed(t.Context(), kept, chunks(run.Key, 2, 2, 1))
		require.NoError(t, err)
		assert.True(t, shed)
		accepted, err := s.Commit(t.Context(), []Done{done(all[0])})
		require.NoError(t, err)
		assert.Equal(t, []bool{false}, accepted, "its count is another one")
		for _, c := range append(chunks(run.Key, 2, 2, 1), kept) {
			accepted, err := s.Commit(t.Context(), []Done{done(c)})
			require.NoError(t, err)
			assert.Equal(t, []bool{true}, accepted)
		}
		complete, err := s.Finish(t.Context(), run.Key)
		require.NoError(t, err)
		assert.True(t, complete)
	})
}

func TestRemove(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		sizes := make([]int, 1500)
		for i := range sizes {
			sizes[i] = 1
		}
		run, all := submitted(t, s, "one", sizes...)
		_, err := s.Commit(t.Context(), []Done{done(all[0])})
		require.NoError(t, err)
		submitted(t, s, "two", 1)
		require.NoError(t, s.Remove(t.Context(), run.Key))
		_, err = s.Find(t.Context(), "one")
		require.ErrorIs(t, err, ErrNoRun)
		count := 0
		require.NoError(t, s.db.read(t.Context(), func(t tx) error { return t.one(`SELECT count(*) FROM @river_job`, nil, &count) }))
		assert.Equal(t, 1, count, "of the other run")
	})
}

func TestReserve(t *testing.T) {
	both(t, func(t *testing.T, s *Store) {
		lease, err := s.Reserve(t.Context(), "api", 10, time.Second, 5)
		require.NoError(t, err)
		assert.InDelta(t, -4.0, lease.Wait.Seconds(), 0.01, "a burst of 5 is there")
		lease, err = s.Reserve(t.Context(), "api", 1, time.Second, 5)
		require.NoError(t, err)
		assert.InDelta(t, 6.0, lease.Wait.Seconds(), 1, "10 tokens less a burst of 5, less the one that is due now")
		require.NoError(t, s.Pause(t.Context(), "api", time.Minute))
		require.NoError(t, s.Pause(t.Context(), "api", time.Second), "shorter: changes nothing")
		paused, err := s.Paused(t.Context(), "api")
		require.NoError(t, err)
		assert.InDelta(t, 60, paused.Seconds(), 1)
		lease, err = s.Reserve(t.Context(), "api", 1, time.Second, 5)
		require.NoError(t, err)
		assert.Greater(t, lease.Wait, 55*time.Second)
		assert.InDelta(t, 60, lease.Paused.Seconds(), 1)

		require.NoError(t, s.OpenBreaker(t.Context(), "api", time.Minute, "5 of 5 failed"))
		b, err := s.Breaker(t.Context(), "api")
		require.NoError(t, err)
		assert.Equal(t, "5 of 5 failed", b.Reason)
		assert.InDelta(t, 60, b.Open.Seconds(), 1)
	})
}

func TestAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own runs.db")
	opened(t, Options{URL: "sqlite:" + path})
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	for _, bad := range []string{"", "runs.db", "mysql://x", "sqlite:", "postgres://%%%", "sqlite:/no/such/directory/runs.db"} {
		_, err := Open(context.Background(), Options{URL: bad, Log: slog.New(slog.DiscardHandler)})
		require.Error(t, err, bad)
	}
	_, err := Open(context.Background(), Options{URL: "postgres://u:secret@h:port/x", Log: slog.New(slog.DiscardHandler)})
	require.ErrorIs(t, err, ErrURL)
	assert.NotContains(t, err.Error(), "secret")
}

// Several processes open an empty database at once: one makes the tables.
func TestOpenedAtOnce(t *testing.T) {
	url, schema := pgtest.URL(t)
	path := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	for _, o := range []Options{{URL: url, Schema: schema}, {URL: path}} {
		o.Log = slog.New(slog.DiscardHandler)
		errs := make(chan error, 6)
		for range cap(errs) {
			go func() {
				s, err := Open(t.Context(), o)
				if err == nil {
					_, err = s.Found(t.Context())
					err = errors.Join(err, s.Check(t.Context()))
					s.Close()
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
	}
}
