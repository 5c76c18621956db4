package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// running are the jobs that River has running on a worker.
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

// Strays frees jobs that River has running on this worker, but that it is not working: the report of their end was
// lost, for example because the database was away for long.
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
func (s *Store) lost() string {
	const live = ` AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')`
	return `SELECT EXISTS (SELECT 1 FROM @chunk WHERE run = $1)
		AND NOT EXISTS (SELECT 1 FROM @river_job WHERE queue = $1` + live + `)
		AND NOT EXISTS (SELECT 1 FROM @river_job WHERE queue = '` + Quarantine + `' AND ` + s.db.runOf() + ` = $1` + live + `)`
}

// Lost says whether a run has chunks and no job.
func (s *Store) Lost(ctx context.Context, run Run) (is bool, err error) {
	err = s.db.read(ctx, func(t tx) error { return t.one(s.lost(), []any{run.Key}, &is) })
	return is, err
}

// Sweep gives new jobs to the chunks of a run that has chunks and no job: a safety net.
func (s *Store) Sweep(ctx context.Context, run Run) (found int, err error) {
	suspicious, err := s.Lost(ctx, run)
	if err != nil || !suspicious {
		return 0, err
	}
	err = s.db.write(ctx, func(t tx) error {
		found = 0
		// if several sweep, one continues; the others wait here and find nothing
		if err := s.lock(t, run.Key, `state = state`); err != nil {
			return err // ErrNoRun: it is canceled, and has no jobs because of that
		}
		if err := t.one(s.lost(), []any{run.Key}, &suspicious); err != nil || !suspicious {
			return err
		}
		var jobs []queued
		err := t.all(`SELECT round, start, alone FROM @chunk WHERE run = $1`, []any{run.Key}, func(scan func(...any) error) error {
			q := queued{queue: run.Key, when: first, job: Job{Run: run.Key}}
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
	if errors.Is(err, ErrNoRun) {
		return 0, nil
	}
	return found, err
}

// Vacuum says what prevents the database from cleaning up after us; "" for nothing.
func (s *Store) Vacuum(ctx context.Context) (problem string, err error) {
	err = s.db.read(ctx, func(t tx) error {
		problem, err = s.db.stuckVacuum(t)
		return err
	})
	return problem, err
}
