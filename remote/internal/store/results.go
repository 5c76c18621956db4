package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"
)

// Result is the outcomes of the items of a chunk.
type Result struct {
	Start  int64
	Count  int
	Failed int
	Data   []byte // outcomes
}

// Span is a part of a run: Count items from Start on, or all if Count is 0. Within includes the chunk that has
// Start in its middle.
type Span struct {
	Start  int64
	Count  int
	Within bool
}

// Results returns results of a part of a run, in order, at most limit rows. It is one scan of the primary key.
func (s *Store) Results(ctx context.Context, run string, of Span, limit int) (results []Result, err error) {
	end := of.Start + int64(of.Count)
	if of.Count == 0 {
		end = math.MaxInt64
	}
	from := `$2`
	if of.Within {
		from = `coalesce((SELECT max(start) FROM @result WHERE run = $1 AND start <= $2 AND start + count > $2), $2)`
	}
	err = s.db.read(ctx, func(t tx) error {
		results = nil
		return t.all(`SELECT start, count, failed, data FROM @result WHERE run = $1 AND start >= `+from+` AND start < $3 ORDER BY start LIMIT $4`,
			[]any{run, of.Start, end, limit}, func(scan func(...any) error) error {
				var r Result
				err := scan(&r.Start, &r.Count, &r.Failed, &r.Data)
				results = append(results, r)
				return err
			})
	})
	return results, err
}

// States of a failure.
const (
	Failed = "failed" // for good, unless it is run again
	Again  = "again"  // it is being run again
	Mended = "mended" // it was run again, and Value is the result
)

// Failure is an item that failed, or had failed.
type Failure struct {
	Item     int64
	Attempts int
	Error    string
	Payload  []byte
	State    string
	Value    []byte
	At       time.Time
}

// insertFailures adds the failures of a chunk, or records the outcomes of those that were run again.
func (s *Store) insertFailures(t tx, d *Done) error {
	if len(d.Failures) == 0 {
		return nil
	}
	rows := make([][]any, len(d.Failures))
	if d.Round == 0 {
		for i, f := range d.Failures {
			rows[i] = []any{d.Run, f.Item, f.Attempts, f.Error, f.Payload}
		}
		_, err := t.each(`INSERT INTO @failure (run, item, attempts, error, payload, state, at)
			VALUES ($1, $2, $3, $4, $5, 'failed', `+s.db.now()+`)`, rows)
		return err
	}
	for i, f := range d.Failures {
		rows[i] = []any{d.Run, f.Item, f.Attempts, f.Error, f.State, f.Value}
	}
	_, err := t.each(`UPDATE @failure SET attempts = attempts + $3, error = $4, state = $5, value = $6, at = `+s.db.now()+`
		WHERE run = $1 AND item = $2`, rows)
	return err
}

// Failures returns failures of items, starting at an item, in order; those of one state, or with "" all.
func (s *Store) Failures(ctx context.Context, run string, from int64, state string, limit int) (failures []Failure, err error) {
	err = s.db.read(ctx, func(t tx) error {
		failures, err = s.failures(t, run, from, state, limit)
		return err
	})
	return failures, err
}

func (s *Store) failures(t tx, run string, from int64, state string, limit int) (failures []Failure, err error) {
	err = t.all(`SELECT item, attempts, error, payload, state, value, at FROM @failure
		WHERE run = $1 AND item >= $2 AND (state = $3 OR $3 = '') ORDER BY item LIMIT $4`,
		[]any{run, from, state, limit}, func(scan func(...any) error) error {
			var f Failure
			var at int64
			err := scan(&f.Item, &f.Attempts, &f.Error, &f.Payload, &f.State, &f.Value, &at)
			f.At = time.UnixMicro(at)
			failures = append(failures, f)
			return err
		})
	return failures, err
}

// perRetry is how many failures one transaction makes run again.
const perRetry = 1000

// Retry runs the failures again, as chunks that pack makes of them, and returns how many there are. It begins a
// new round, in transactions of a bounded size: if it is interrupted, it may be called again.
func (s *Store) Retry(ctx context.Context, key string, pack func(key string, round int, failures []Failure) []Chunk) (count int, err error) {
	round := 0
	err = s.db.write(ctx, func(t tx) error {
		return t.one(`UPDATE @run SET round = round + 1 WHERE key = $1 AND sealed AND state <> 'canceled' RETURNING round`, []any{key}, &round)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errors.New("it is canceled, or not all of its items were submitted")
	}
	// from item to item: an item that fails again meanwhile is not taken twice
	for from, more := int64(0), true; more && err == nil; {
		more = false
		err = s.db.write(ctx, func(t tx) error {
			if err := s.hold(t, key); err != nil {
				return err
			}
			failures, err := s.failures(t, key, from, Failed, perRetry)
			if err != nil || len(failures) == 0 {
				return err
			}
			rows := make([][]any, len(failures))
			for i, f := range failures {
				rows[i] = []any{key, f.Item}
			}
			if _, err := t.each(`UPDATE @failure SET state = 'again' WHERE run = $1 AND item = $2`, rows); err != nil {
				return err
			}
			more, from, count = true, failures[len(failures)-1].Item+1, count+len(failures)
			return s.insertChunks(t, pack(key, round, failures), inTurn)
		})
	}
	return count, err
}

// Tally is the progress of a run.
type Tally struct {
	Done   int64 // items that have an outcome
	Failed int64 // of those, items that failed and have no result since
	Chunks int64 // not done
}

// Tally counts. It reads an index of all results of the run.
func (s *Store) Tally(ctx context.Context, run string) (n Tally, err error) {
	err = s.db.read(ctx, func(t tx) error {
		if err := t.one(`SELECT CAST(coalesce(sum(count), 0) AS bigint) FROM @result WHERE run = $1`, []any{run}, &n.Done); err != nil {
			return err
		}
		var again int64
		if err := t.one(`SELECT CAST(coalesce(sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0) AS bigint),
			CAST(coalesce(sum(CASE WHEN state = 'again' THEN 1 ELSE 0 END), 0) AS bigint) FROM @failure WHERE run = $1`, []any{run}, &n.Failed, &again); err != nil {
			return err
		}
		n.Done -= again
		return t.one(`SELECT count(*) FROM @chunk WHERE run = $1`, []any{run}, &n.Chunks)
	})
	return n, err
}
