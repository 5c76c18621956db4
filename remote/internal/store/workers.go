package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/amorsize/amorsize/remote/internal/frame"
)

// Worker is a process that works chunks.
type Worker struct {
	ID        string
	Host      string
	PID       int
	Version   string
	Functions []string
	Started   time.Time
	Seen      time.Time
	Skew      time.Duration // its clock, less the database's
}

// Beat says that a worker is alive. It returns true if it was taken for dead meanwhile, and its chunks given to
// others; it counts as alive again.
func (s *Store) Beat(ctx context.Context, w Worker) (buried bool, err error) {
	err = s.db.write(ctx, func(t tx) error {
		seen, err := t.exec(`UPDATE @worker SET seen = `+s.db.now()+`, clock = $1, functions = $2 WHERE id = $3`,
			time.Now().UnixMicro(), strings.Join(w.Functions, " "), w.ID)
		if buried = seen == 0; err != nil || !buried {
			return err
		}
		_, err = t.exec(`INSERT INTO @worker (id, host, pid, version, functions, clock, started, seen)
			VALUES ($1, $2, $3, $4, $5, $6, `+s.db.now()+`, `+s.db.now()+`)`,
			w.ID, w.Host, w.PID, w.Version, strings.Join(w.Functions, " "), time.Now().UnixMicro())
		return err
	})
	return buried, err
}

// Leave says that a worker has ended, with nothing under way.
func (s *Store) Leave(ctx context.Context, id string) error {
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`DELETE FROM @worker WHERE id = $1`, id)
		return err
	})
}

// Workers returns those that are taken for alive.
func (s *Store) Workers(ctx context.Context) (workers []Worker, err error) {
	err = s.db.read(ctx, func(t tx) error {
		return t.all(`SELECT id, host, pid, version, functions, clock, started, seen FROM @worker ORDER BY id`, nil, func(scan func(...any) error) error {
			var w Worker
			var functions string
			var clock, started, seen int64
			err := scan(&w.ID, &w.Host, &w.PID, &w.Version, &functions, &clock, &started, &seen)
			w.Functions, w.Started, w.Seen = strings.Fields(functions), time.UnixMicro(started), time.UnixMicro(seen)
			w.Skew = time.Duration(clock-seen) * time.Microsecond
			workers = append(workers, w)
			return err
		})
	})
	return workers, err
}

// Crashes are when a chunk is taken for what ends processes.
type Crashes struct {
	Quarantine int // after so many, it is worked alone
	Dead       int // and an item that is alone, after so many, has failed
}

// Reaped is what became of workers that were taken for dead.
type Reaped struct {
	Workers []string
	Chunks  int   // given to others
	Alone   int   // of those, put in quarantine
	Split   int   // of those, bisected
	Items   int64 // that ended their process each time, and have failed
}

// Reap takes workers for dead that were not heard of for so long, and gives their chunks to others. Of several that
// reap, one gets each of the dead.
func (s *Store) Reap(ctx context.Context, silent time.Duration, limits Crashes) (reaped Reaped, err error) {
	dead := false // almost always nobody is, and to ask takes no lock
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
	suspect := false // a chunk in quarantine is to blame, and those beside it are not
	for _, o := range orphans {
		suspect = suspect || o.chunk.Alone
	}
	for _, o := range orphans {
		blamed := o.chunk.Alone || !suspect
		if o.chunk.Fence++; blamed {
			o.chunk.Crashes++
		}
		reaped.Chunks++
		switch {
		case o.chunk.Count == 0: // it was done, and River was not told
			err = s.free(t, o, "")
		case blamed && o.chunk.Alone && o.chunk.Count > 1:
			err = s.bisect(t, o, reaped)
		case blamed && o.chunk.Alone && o.chunk.Crashes >= limits.Dead:
			err = s.condemn(t, o, reaped)
		case blamed && !o.chunk.Alone && o.chunk.Crashes >= limits.Quarantine:
			o.chunk.Alone = true
			reaped.Alone++
			err = s.free(t, o, Quarantine)
		default:
			err = s.free(t, o, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// orphans are the jobs that a worker runs, as River has it.
func (s *Store) orphans(t tx, worker string) ([]orphan, error) {
	ids, jobs, err := s.running(t, worker)
	if err != nil {
		return nil, err
	}
	orphans := make([]orphan, len(ids))
	for i, id := range ids {
		o := orphan{id: id, chunk: Chunk{Key: jobs[i].Key()}}
		err := t.all(`SELECT count, fence, crashes, alone FROM @chunk WHERE run = $1 AND round = $2 AND start = $3`,
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

func (s *Store) running(t tx, worker string) (ids []int64, jobs []Job, err error) {
	err = t.all(`SELECT id, `+s.db.text("args")+` FROM @river_job WHERE state = 'running' AND `+s.db.lastWorker()+` = $1`, []any{worker}, func(scan func(...any) error) error {
		var id int64
		var args []byte
		if err := scan(&id, &args); err != nil {
			return err
		}
		var job Job
		if err := json.Unmarshal(args, &job); err != nil {
			return fmt.Errorf("job %d: %w", id, err)
		}
		ids, jobs = append(ids, id), append(jobs, job)
		return nil
	})
	return ids, jobs, err
}

// free has a job run again, in another queue if one is given.
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

// bisect makes two chunks in quarantine of one.
func (s *Store) bisect(t tx, o orphan, reaped *Reaped) error {
	items, err := s.items(t, o.chunk)
	if err != nil {
		return err
	}
	half := len(items) / 2
	rest := Chunk{Key: o.chunk.Key, Count: len(items) - half, Items: pack(items[half:]), Fence: o.chunk.Fence, Alone: true}
	if o.chunk.Round == 0 {
		rest.Start += int64(half)
	} else if rest.Start, err = s.number(t, o.chunk.Key); err != nil {
		return err
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
	return s.insertChunks(t, []Chunk{rest}, Quarantine, first)
}

// number is that of a further chunk of a round above 0.
func (s *Store) number(t tx, key Key) (next int64, err error) {
	err = t.one(`SELECT max(start) + 1 FROM @chunk WHERE run = $1 AND round = $2`, []any{key.Run, key.Round}, &next)
	return next, err
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

// condemn has an item fail that ended its process each time.
func (s *Store) condemn(t tx, o orphan, reaped *Reaped) error {
	items, err := s.items(t, o.chunk)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("the process that worked it ended, %d times", o.chunk.Crashes)
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

// Strays frees jobs that River takes for running on this worker, and that it does not have under way: what it was
// told of their end was lost, as when the database was away for long.
func (s *Store) Strays(ctx context.Context, worker string, busy func(job int64) bool) (freed int, err error) {
	err = s.db.write(ctx, func(t tx) error {
		freed = 0
		ids, _, err := s.running(t, worker)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if busy(id) {
				continue
			}
			n, err := t.exec(`UPDATE @river_job SET `+s.db.runnable()+` WHERE id = $1 AND state = 'running' AND `+s.db.lastWorker()+` = $2`, id, worker)
			if err != nil {
				return err
			}
			freed += int(n)
		}
		return nil
	})
	return freed, err
}

// lost is whether a run has chunks and no job. A chunk in quarantine has its job in another queue.
const lost = `SELECT EXISTS (SELECT 1 FROM @chunk WHERE run = $1)
	AND NOT EXISTS (SELECT 1 FROM @river_job WHERE queue IN ($2, '` + Quarantine + `') AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))`

// Lost says whether a run has chunks and no job.
func (s *Store) Lost(ctx context.Context, run Run) (is bool, err error) {
	err = s.db.read(ctx, func(t tx) error { return t.one(lost, []any{run.ID, run.Queue}, &is) })
	return is, err
}

// Sweep gives new jobs to the chunks of a run that has chunks and no job: a net under everything else.
func (s *Store) Sweep(ctx context.Context, run Run) (found int, err error) {
	suspicious, err := s.Lost(ctx, run)
	if err != nil || !suspicious {
		return 0, err
	}
	err = s.db.write(ctx, func(t tx) error {
		found = 0
		// one of several that sweep, the others wait here and find nothing
		if _, err := t.exec(`UPDATE @run SET problem = problem WHERE id = $1`, run.ID); err != nil {
			return err
		}
		if err := t.one(lost, []any{run.ID, run.Queue}, &suspicious); err != nil || !suspicious {
			return err
		}
		var jobs []queued
		err := t.all(`SELECT round, start, alone FROM @chunk WHERE run = $1`, []any{run.ID}, func(scan func(...any) error) error {
			q := queued{queue: run.Queue, when: first, job: Job{Run: run.ID}}
			alone := false
			err := scan(&q.job.Round, &q.job.Start, &alone)
			if alone {
				q.queue = Quarantine
			}
			jobs = append(jobs, q)
			return err
		})
		if err != nil {
			return err
		}
		found = len(jobs)
		return s.insertJobs(t, jobs)
	})
	return found, err
}

// Vacuum says what keeps the database from cleaning up behind us; "" for nothing.
func (s *Store) Vacuum(ctx context.Context) (problem string, err error) {
	err = s.db.read(ctx, func(t tx) error {
		problem, err = s.db.stuckVacuum(t)
		return err
	})
	return problem, err
}
