package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// States of a run. One that is complete stays open: complete it is when it is sealed and has no chunk left.
const (
	RunOpen     = "open"
	RunPaused   = "paused"
	RunCanceled = "canceled"
)

// Run is a run as its row has it.
type Run struct {
	ID        string
	Function  string
	Signature string // of the function's types
	Queue     string
	State     string
	Items     int64  // submitted so far
	Digest    []byte // of those
	Sealed    bool   // there are no more
	Round     int    // how often failures were run again
	Problem   string // why nobody works it
	Created   time.Time
	Finished  time.Time // when it was seen to be complete
}

const runColumns = `id, function, signature, queue, state, items, digest, sealed, round, problem, created, finished`

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	var created, finished int64
	err := scan(&r.ID, &r.Function, &r.Signature, &r.Queue, &r.State, &r.Items, &r.Digest, &r.Sealed, &r.Round, &r.Problem, &created, &finished)
	r.Created = time.UnixMicro(created)
	if finished != 0 {
		r.Finished = time.UnixMicro(finished)
	}
	return r, err
}

// QueueOf is the queue of a run: River's names are narrower than ours.
func QueueOf(run string) string {
	sum := sha256.Sum256([]byte(run))
	return "run_" + hex.EncodeToString(sum[:16])
}

// Create makes a run that is open and empty, unless there is one of that name, and returns what there is.
func (s *Store) Create(ctx context.Context, id, function, signature string) (Run, error) {
	var run Run
	err := s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`INSERT INTO @run (id, function, signature, queue, state, created)
			VALUES ($1, $2, $3, $4, 'open', `+s.db.now()+`) ON CONFLICT (id) DO NOTHING`, id, function, signature, QueueOf(id))
		if err != nil {
			return err
		}
		run, err = s.run(t, id)
		return err
	})
	return run, err
}

// Run returns a run, or [ErrNoRun].
func (s *Store) Run(ctx context.Context, id string) (run Run, err error) {
	err = s.db.read(ctx, func(t tx) error {
		run, err = s.run(t, id)
		return err
	})
	return run, err
}

func (s *Store) run(t tx, id string) (run Run, err error) {
	err = sql.ErrNoRows
	if all := t.all(`SELECT `+runColumns+` FROM @run WHERE id = $1`, []any{id}, func(scan func(...any) error) error {
		run, err = scanRun(scan)
		return err
	}); all != nil {
		return run, all
	}
	if errors.Is(err, sql.ErrNoRows) {
		return run, fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	return run, err
}

// Runs returns all runs, or those that may have something to work; the newest first.
func (s *Store) Runs(ctx context.Context, working bool) (runs []Run, err error) {
	where := ``
	if working {
		where = ` WHERE state <> 'canceled' AND finished = 0`
	}
	err = s.db.read(ctx, func(t tx) error {
		return t.all(`SELECT `+runColumns+` FROM @run`+where+` ORDER BY created DESC, id`, nil, func(scan func(...any) error) error {
			run, err := scanRun(scan)
			runs = append(runs, run)
			return err
		})
	})
	return runs, err
}

// Append adds chunks to a run whose cursor is at from, with their jobs, and moves the cursor behind them: all of
// that or nothing. If the cursor is elsewhere, it adds nothing and returns the run as it is, and [ErrCursor].
func (s *Store) Append(ctx context.Context, run Run, chunks []Chunk, digest []byte, seal bool) (Run, error) {
	next := run
	err := s.db.write(ctx, func(t tx) error {
		now, err := s.run(t, run.ID)
		if err != nil {
			return err
		}
		if now.Items != run.Items || now.Sealed || now.State == RunCanceled {
			next = now
			return ErrCursor
		}
		end := run.Items
		if len(chunks) > 0 {
			end = chunks[len(chunks)-1].Start + int64(chunks[len(chunks)-1].Count)
		}
		moved, err := t.exec(`UPDATE @run SET items = $1, digest = $2, sealed = $3, finished = 0 WHERE id = $4 AND items = $5 AND NOT sealed AND state <> 'canceled'`,
			end, digest, seal, run.ID, run.Items)
		if err != nil {
			return err
		}
		if moved == 0 { // between the two statements, and not committed
			return ErrCursor
		}
		next.Items, next.Digest, next.Sealed = end, digest, seal
		return s.insertChunks(t, chunks, run.Queue, inTurn)
	})
	if errors.Is(err, ErrCursor) && next.Items == run.Items && bytes.Equal(next.Digest, run.Digest) {
		next, _ = s.Run(ctx, run.ID)
	}
	return next, err
}

// insertChunks adds rows and jobs.
func (s *Store) insertChunks(t tx, chunks []Chunk, queue string, when int) error {
	if len(chunks) == 0 {
		return nil
	}
	rows, jobs := make([][]any, len(chunks)), make([]queued, len(chunks))
	for i, c := range chunks {
		rows[i] = []any{c.Run, c.Round, c.Start, c.Count, c.Items, c.Fence, c.Crashes, c.Alone}
		jobs[i] = queued{queue, when, Job(c.Key)}
		if c.Alone {
			jobs[i].queue = Quarantine
		}
	}
	_, err := t.each(`INSERT INTO @chunk (run, round, start, count, items, fence, crashes, alone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, rows)
	if err != nil {
		return err
	}
	return s.insertJobs(t, jobs)
}

func (s *Store) insertJobs(t tx, jobs []queued) error {
	return s.db.insertJobs(contextOf(t), t, jobs)
}

func contextOf(t tx) context.Context {
	switch t := t.(type) {
	case *pgTx:
		return t.ctx
	case *sqlTx:
		return t.ctx
	}
	return context.Background()
}

// SetState pauses, resumes or cancels a run. One that is canceled stays so, and one that is complete is not canceled.
func (s *Store) SetState(ctx context.Context, id, state string) error {
	if complete, err := s.Finish(ctx, id); err != nil || complete {
		return err
	}
	var queue string
	err := s.db.write(ctx, func(t tx) error {
		run, err := s.run(t, id)
		if err != nil {
			return err
		}
		queue = run.Queue
		_, err = t.exec(`UPDATE @run SET state = $1 WHERE id = $2 AND state <> 'canceled'`, state, id)
		return err
	})
	if err != nil {
		return err
	}
	switch state {
	case RunPaused:
		return s.db.client().pause(ctx, queue)
	case RunOpen:
		return s.db.client().resume(ctx, queue)
	default:
		return s.drop(ctx, id, queue)
	}
}

// SetProblem tells, or with "" takes back, why a run is not worked.
func (s *Store) SetProblem(ctx context.Context, id, problem string) error {
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`UPDATE @run SET problem = $1 WHERE id = $2 AND problem <> $1`, problem, id)
		return err
	})
}

// perDelete is how many rows a transaction deletes at most: a longer one would hold up whoever works.
const perDelete = 1000

// drop deletes the jobs and chunks of a run.
func (s *Store) drop(ctx context.Context, id, queue string) error {
	for more := true; more; {
		var err error
		if more, err = s.db.client().drop(ctx, queue); err != nil {
			return err
		}
	}
	return s.deleteRows(ctx, "chunk", "round, start", id)
}

// Remove deletes all there is of a run, a bounded number of rows at a time.
func (s *Store) Remove(ctx context.Context, id string) error {
	run, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	if err := s.SetState(ctx, id, RunCanceled); err != nil {
		return err
	}
	for _, table := range [][2]string{{"result", "start"}, {"failure", "item"}} {
		if err := s.deleteRows(ctx, table[0], table[1], run.ID); err != nil {
			return err
		}
	}
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`DELETE FROM @run WHERE id = $1`, id)
		return err
	})
}

func (s *Store) deleteRows(ctx context.Context, table, key, run string) error {
	for deleted := int64(perDelete); deleted == perDelete; {
		err := s.db.write(ctx, func(t tx) error {
			var err error
			deleted, err = t.exec(fmt.Sprintf(`DELETE FROM @%[1]s WHERE run = $1 AND (%[2]s) IN (SELECT %[2]s FROM @%[1]s WHERE run = $1 ORDER BY %[2]s LIMIT %[3]d)`,
				table, key, perDelete), run)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Finish marks runs that are complete, and returns whether this one is.
func (s *Store) Finish(ctx context.Context, id string) (complete bool, err error) {
	err = s.db.read(ctx, func(t tx) error {
		return t.one(`SELECT sealed AND state <> 'canceled' AND NOT EXISTS (SELECT 1 FROM @chunk WHERE chunk_run.id = run) FROM @run AS chunk_run WHERE id = $1`, []any{id}, &complete)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	if err != nil || !complete {
		return complete, err
	}
	return true, s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`UPDATE @run SET finished = `+s.db.now()+` WHERE id = $1 AND finished = 0 AND sealed AND state <> 'canceled'
			AND NOT EXISTS (SELECT 1 FROM @chunk WHERE run = $1)`, id)
		return err
	})
}
