package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/amorsize/amorsize/remote/internal/frame"
)

// Crashes are the limits at which a chunk counts as one that ends processes.
type Crashes struct {
	Quarantine int // after this number, it is worked alone
	Dead       int // after this number, a single item has failed
}

// Reaped is what happened to workers that were considered dead.
type Reaped struct {
	Workers []string
	Chunks  int   // given to others
	Alone   int   // of those, put in quarantine
	Split   int   // of those, bisected
	Items   int64 // ended their process each time, and have failed
}

// Reap considers workers dead that were silent for that long, and gives their chunks to others. If several
// processes reap, only one gets each dead worker.
func (s *Store) Reap(ctx context.Context, silent time.Duration, limits Crashes) (reaped Reaped, err error) {
	dead := false // almost always there is none, and the check takes no lock
	err = s.db.read(ctx, func(t tx) error {
		return t.one(`SELECT EXISTS (SELECT 1 FROM @worker WHERE seen < `+s.db.now()+` - $1)`, []any{silent.Microseconds()}, &dead)
	})
	if err != nil || !dead {
		return reaped, err
	}
	err = s.db.write(ctx, func(t tx) error {
		reaped = Reaped{}
		err := t.all(`DELETE FROM @worker WHERE seen < `+s.db.now()+` - $1 RETURNING id`, []any{silent.Microseconds()}, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			reaped.Workers = append(reaped.Workers, id)
			return err
		})
		for _, id := range reaped.Workers {
			if err == nil {
				err = s.bury(t, id, limits, &reaped)
			}
		}
		return err
	})
	return reaped, err
}

// Ghosts returns workers that have running jobs in River, and are not considered alive. One may be about to report
// that it is.
func (s *Store) Ghosts(ctx context.Context) (ids []string, err error) {
	err = s.db.read(ctx, func(t tx) error {
		ids = nil
		return t.all(`SELECT DISTINCT `+s.db.lastWorker()+` FROM @river_job WHERE state = 'running' AND kind = '`+Job{}.Kind()+`'
			AND `+s.db.lastWorker()+` NOT IN (SELECT id FROM @worker)`, nil, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}

// Bury gives the chunks of a ghost to others.
func (s *Store) Bury(ctx context.Context, id string, limits Crashes) (reaped Reaped, err error) {
	err = s.db.write(ctx, func(t tx) error {
		reaped = Reaped{Workers: []string{id}}
		return s.bury(t, id, limits, &reaped)
	})
	return reaped, err
}

// orphan is a job of a dead worker, and its chunk.
type orphan struct {
	id    int64
	chunk Chunk
}

// bury gives the chunks of a dead worker to others.
func (s *Store) bury(t tx, worker string, limits Crashes, reaped *Reaped) error {
	orphans, err := s.orphans(t, worker)
	if err != nil {
		return err
	}
	suspect := slices.ContainsFunc(orphans, func(o orphan) bool { return o.chunk.Alone })
	for _, o := range orphans {
		// only a chunk in quarantine is to blame, not those beside it
		blamed := o.chunk.Alone || !suspect
		if o.chunk.Fence++; blamed {
			o.chunk.Crashes++
		}
		reaped.Chunks++
		if err := s.judge(t, o, blamed, limits, reaped); err != nil {
			return err
		}
	}
	return nil
}

// judge runs a chunk again, alone if it is suspected, or in halves, or makes it fail.
func (s *Store) judge(t tx, o orphan, blamed bool, limits Crashes, reaped *Reaped) error {
	c := &o.chunk
	switch {
	case c.Count == 0, !blamed: // or it was done, and River did not learn that
	case c.Alone && c.Count > 1:
		return s.bisect(t, o, reaped)
	case c.Alone && c.Crashes >= limits.Dead:
		return s.condemn(t, o, reaped)
	case !c.Alone && c.Crashes >= limits.Quarantine:
		c.Alone, c.Crashes = true, 0
		reaped.Alone++
		return s.free(t, o, Quarantine)
	}
	return s.free(t, o, "")
}

// orphans are the jobs that River has running on a worker.
func (s *Store) orphans(t tx, worker string) ([]orphan, error) {
	ids, jobs, err := s.running(t, worker)
	if err != nil {
		return nil, err
	}
	orphans := make([]orphan, len(ids))
	for i, id := range ids {
		o := orphan{id: id, chunk: Chunk{Key: jobs[i].Key()}}
		orphans[i] = o
		if err := s.lock(t, o.chunk.Run, `state = state`); errors.Is(err, ErrNoRun) {
			continue // its chunks are being deleted
		} else if err != nil {
			return nil, err
		}
		err := t.all(`SELECT count, fence, crashes, alone FROM @chunk WHERE run = $1 AND round = $2 AND start = $3`+s.db.forUpdate(),
			[]any{o.chunk.Run, o.chunk.Round, o.chunk.Start}, func(scan func(...any) error) error {
				return scan(&o.chunk.Count, &o.chunk.Fence, &o.chunk.Crashes, &o.chunk.Alone)
			})
		if err != nil {
			return nil, err
		}
		orphans[i] = o
	}
	return orphans, nil
}

// free makes a job run again, in another queue if one is given.
func (s *Store) free(t tx, o orphan, queue string) error {
	move := ``
	args := []any{o.id}
	if queue != "" {
		move = `, queue = $2`
		args = append(args, queue)
	}
	if _, err := t.exec(`UPDATE @river_job SET `+s.db.runnable()+move+` WHERE id = $1 AND state = 'running'`, args...); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE @chunk SET fence = $1, crashes = $2, alone = $3 WHERE run = $4 AND round = $5 AND start = $6`,
		o.chunk.Fence, o.chunk.Crashes, o.chunk.Alone, o.chunk.Run, o.chunk.Round, o.chunk.Start)
	return err
}

// bisect splits a chunk in quarantine into two.
func (s *Store) bisect(t tx, o orphan, reaped *Reaped) error {
	items, err := s.items(t, o.chunk)
	if err != nil {
		return err
	}
	half := len(items) / 2
	rest := Chunk{Key: o.chunk.Key, Count: len(items) - half, Items: pack(items[half:]), Fence: o.chunk.Fence, Alone: true}
	if rest.Start += int64(half); o.chunk.Round > 0 {
		if rest.Start, _, err = Unindexed(items[half]); err != nil {
			return err
		}
	}
	o.chunk.Crashes = 0 // each half has its own
	if err := s.free(t, o, Quarantine); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE @chunk SET count = $1, items = $2 WHERE run = $3 AND round = $4 AND start = $5`,
		half, pack(items[:half]), o.chunk.Run, o.chunk.Round, o.chunk.Start)
	if err != nil {
		return err
	}
	reaped.Split++
	return s.insertChunks(t, []Chunk{rest}, first)
}

func (s *Store) items(t tx, c Chunk) ([][]byte, error) {
	var packed []byte
	err := t.one(`SELECT items FROM @chunk WHERE run = $1 AND round = $2 AND start = $3`, []any{c.Run, c.Round, c.Start}, &packed)
	if err != nil {
		return nil, err
	}
	return frame.Split(packed, c.Count)
}

func pack(items [][]byte) []byte {
	var packed []byte
	for _, item := range items {
		packed = frame.Append(packed, item)
	}
	return packed
}

// condemn makes an item fail that ended its process each time.
func (s *Store) condemn(t tx, o orphan, reaped *Reaped) error {
	items, err := s.items(t, o.chunk)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("the worker process died while running it, %d times", o.chunk.Crashes)
	d := &Done{Key: o.chunk.Key, Count: 1, Failed: 1}
	index, payload := o.chunk.Start, items[0]
	if o.chunk.Round > 0 {
		if index, payload, err = Unindexed(payload); err != nil {
			return err
		}
	}
	d.Failures = []Failure{{Item: index, Attempts: o.chunk.Crashes, Error: words, Payload: payload, State: Failed}}
	if _, err := t.exec(`DELETE FROM @chunk WHERE run = $1 AND round = $2 AND start = $3`, o.chunk.Run, o.chunk.Round, o.chunk.Start); err != nil {
		return err
	}
	if o.chunk.Round == 0 {
		_, err := t.exec(`INSERT INTO @result (run, start, count, failed, data) VALUES ($1, $2, 1, 1, $3)`,
			o.chunk.Run, o.chunk.Start, frame.AppendOutcome(nil, []byte(words), true))
		if err != nil {
			return err
		}
	}
	if err := s.insertFailures(t, d); err != nil {
		return err
	}
	reaped.Items++
	return s.free(t, o, "") // finds no chunk, and is done
}
