package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// States of a run. A complete run stays open: it is complete when it is sealed and has no chunk left.
const (
	RunOpen     = "open"
	RunPaused   = "paused"
	RunCanceled = "canceled"
)

// Run is a run as its row has it.
type Run struct {
	ID        string // the user's name for it
	Key       string // of this run only, also the name of its queue: a removed run and a new one of the same name share nothing
	Function  string
	Signature string // of the function's types
	State     string
	Items     int64  // submitted so far
	Digest    []byte // of the submitted items
	Sealed    bool   // no more items come
	Round     int    // how often failures were run again
	Problem   string // why no worker works it
	Created   time.Time
	Finished  time.Time // when it was seen to be complete
}

const runColumns = `id, key, function, signature, state, items, digest, sealed, round, problem, created, finished`

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	var created, finished int64
	err := scan(&r.ID, &r.Key, &r.Function, &r.Signature, &r.State, &r.Items, &r.Digest, &r.Sealed, &r.Round, &r.Problem, &created, &finished)
	r.Created = time.UnixMicro(created)
	if finished != 0 {
		r.Finished = time.UnixMicro(finished)
	}
	return r, err
}

// Create makes an open, empty run, unless there is one of that name, and returns the run.
func (s *Store) Create(ctx context.Context, id, function, signature string) (Run, error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	var run Run
	err := s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`INSERT INTO @run (id, key, function, signature, state, created)
			VALUES ($1, $2, $3, $4, 'open', `+s.db.now()+`) ON CONFLICT (id) DO NOTHING`, id, "run_"+hex.EncodeToString(random), function, signature)
		if err != nil {
			return err
		}
		run, err = s.run(t, "id", id)
		return err
	})
	return run, err
}

// Find returns the run with the user's name, or [ErrNoRun].
func (s *Store) Find(ctx context.Context, id string) (Run, error) { return s.get(ctx, "id", id) }

// Run returns the run of a key, or [ErrNoRun].
func (s *Store) Run(ctx context.Context, key string) (Run, error) { return s.get(ctx, "key", key) }

func (s *Store) get(ctx context.Context, column, value string) (run Run, err error) {
	err = s.db.read(ctx, func(t tx) error {
		run, err = s.run(t, column, value)
		return err
	})
	return run, err
}

func (s *Store) run(t tx, column, value string) (run Run, err error) {
	found := false
	err = t.all(`SELECT `+runColumns+` FROM @run WHERE `+column+` = $1`, []any{value}, func(scan func(...any) error) error {
		found = true
		run, err = scanRun(scan)
		return err
	})
	if err == nil && !found {
		err = ErrNoRun
	}
	return run, err
}

// hold locks the row of a run, so that others may not cancel, finish or remove it meanwhile, and marks it as not
// finished. It returns [ErrNoRun] if the run is canceled or removed.
func (s *Store) hold(t tx, key string) error { return s.lock(t, key, `finished = 0`) }

// lock locks the row of a run, before any of its chunks: all code uses that order.
func (s *Store) lock(t tx, key, set string) error {
	held, err := t.exec(`UPDATE @run SET `+set+` WHERE key = $1 AND state <> 'canceled'`, key)
	if err == nil && held == 0 {
		err = ErrNoRun
	}
	return err
}

// Runs returns all runs, or those that may have work; the newest first.
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

// Append adds chunks to a run whose cursor is where run has it, with their jobs, and moves the cursor behind them:
// all of that or nothing. If the cursor is elsewhere, it adds nothing and returns the current run and [ErrCursor].
func (s *Store) Append(ctx context.Context, run Run, chunks []Chunk, digest []byte, seal bool) (next Run, err error) {
	end := run.Items
	if len(chunks) > 0 {
		end = chunks[len(chunks)-1].Start + int64(chunks[len(chunks)-1].Count)
	}
	err = s.db.write(ctx, func(t tx) error {
		next = run
		next.Items, next.Digest, next.Sealed = end, digest, seal
		moved, err := t.exec(`UPDATE @run SET items = $1, digest = $2, sealed = $3, finished = 0
			WHERE key = $4 AND items = $5 AND NOT sealed AND state <> 'canceled'`, end, digest, seal, run.Key, run.Items)
		if err != nil {
			return err
		}
		if moved == 0 {
			return ErrCursor
		}
		return s.insertChunks(t, chunks, inTurn)
	})
	if errors.Is(err, ErrCursor) {
		if now, lost := s.Run(ctx, run.Key); lost == nil {
			return now, err
		} else {
			return run, lost
		}
	}
	return next, err
}

// insertChunks adds rows and jobs.
func (s *Store) insertChunks(t tx, chunks []Chunk, when int) error {
	if len(chunks) == 0 {
		return nil
	}
	rows, jobs := make([][]any, len(chunks)), make([]queued, len(chunks))
	for i, c := range chunks {
		rows[i] = []any{c.Run, c.Round, c.Start, c.Count, c.Items, c.Fence, c.Crashes, c.Alone}
		jobs[i] = queued{c.Run, when, Job(c.Key)}
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

// SetState pauses, resumes or cancels a run. A canceled run stays canceled, and a complete one is neither paused
// nor canceled.
func (s *Store) SetState(ctx context.Context, key, state string) error {
	if state != RunOpen {
		if complete, err := s.Finish(ctx, key); err != nil || complete {
			return err
		}
	}
	err := s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`UPDATE @run SET state = $1 WHERE key = $2 AND state <> 'canceled'`, state, key)
		if err == nil && state == RunCanceled {
			_, err = t.exec(`UPDATE @failure SET state = 'failed' WHERE run = $1 AND state = 'again'`, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch state { // River notifies workers at once; they also poll
	case RunPaused:
		return s.db.client().pause(ctx, key)
	case RunOpen:
		return s.db.client().resume(ctx, key)
	default:
		return s.drop(ctx, key)
	}
}

// SetProblem sets, or with "" clears, why a run is not worked.
func (s *Store) SetProblem(ctx context.Context, key, problem string) error {
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`UPDATE @run SET problem = $1 WHERE key = $2 AND problem <> $1`, problem, key)
		return err
	})
}

// perDelete is how many rows a transaction deletes at most: a longer one would delay workers.
const perDelete = 1000

// drop deletes the jobs and chunks of a canceled run: none are added.
func (s *Store) drop(ctx context.Context, key string) error {
	for more := true; more; {
		var err error
		if more, err = s.db.client().drop(ctx, key); err != nil {
			return err
		}
	}
	return s.deleteRows(ctx, "chunk", "round, start", key)
}

// Remove deletes a whole run, a bounded number of rows at a time.
func (s *Store) Remove(ctx context.Context, key string) error {
	err := s.db.write(ctx, func(t tx) error {
		there, err := t.exec(`UPDATE @run SET state = 'canceled' WHERE key = $1`, key)
		if err == nil && there == 0 {
			err = ErrNoRun
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.drop(ctx, key); err != nil {
		return err
	}
	for _, table := range [][2]string{{"result", "start"}, {"failure", "item"}} {
		if err := s.deleteRows(ctx, table[0], table[1], key); err != nil {
			return err
		}
	}
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`DELETE FROM @run WHERE key = $1`, key)
		return err
	})
}

func (s *Store) deleteRows(ctx context.Context, table, key, run string) error {
	// until there are none: of the rows that a statement picks, others may have deleted some
	for deleted := int64(1); deleted > 0; {
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

// Finish marks a complete run, and returns whether it is complete.
func (s *Store) Finish(ctx context.Context, key string) (complete bool, err error) {
	const bare = `NOT EXISTS (SELECT 1 FROM @chunk WHERE run = $1)`
	marked := false
	err = s.db.read(ctx, func(t tx) error {
		return t.one(`SELECT sealed AND state <> 'canceled' AND `+bare+`, finished > 0 FROM @run WHERE key = $1`, []any{key}, &complete, &marked)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrNoRun
	}
	if err != nil || !complete || marked {
		return complete, err
	}
	return complete, s.db.write(ctx, func(t tx) error {
		// Two statements: the first waits for transactions that add chunks, and the second sees the chunks.
		held, err := t.exec(`UPDATE @run SET finished = finished WHERE key = $1 AND finished = 0 AND sealed AND state <> 'canceled'`, key)
		if err != nil || held == 0 {
			return err
		}
		_, err = t.exec(`UPDATE @run SET finished = `+s.db.now()+` WHERE key = $1 AND `+bare, key)
		return err
	})
}
