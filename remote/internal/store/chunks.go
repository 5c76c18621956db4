package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// Done is the outcome of a chunk.
type Done struct {
	Key
	Fence    int
	Count    int
	Failed   int
	Data     []byte    // outcomes; of round 0
	Failures []Failure // of items that failed, in round 0; of all, in those above
	Rate     float64   // items per second that the worker does of this function; 0 for nothing new
	Function string
}

// Commit stores results, all in one transaction, and says of each whether it counts: a chunk that another worker
// has, or has done, is refused.
func (s *Store) Commit(ctx context.Context, done []Done) (accepted []bool, err error) {
	order := make([]int, len(done)) // all code locks rows in this order
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(done[a].Key, done[b].Key) })
	err = s.db.write(ctx, func(t tx) error {
		accepted = make([]bool, len(done))
		rows := make([][]any, len(done))
		for i, at := range order {
			d := &done[at]
			rows[i] = []any{d.Run, d.Round, d.Start, d.Fence, d.Count}
		}
		gone, err := t.each(`DELETE FROM @chunk WHERE run = $1 AND round = $2 AND start = $3 AND fence = $4 AND count = $5`, rows)
		if err != nil {
			return err
		}
		var results [][]any
		for i, at := range order {
			d := &done[at]
			accepted[at] = gone[i] == 1
			if !accepted[at] {
				continue
			}
			if d.Round == 0 {
				results = append(results, []any{d.Run, d.Start, d.Count, d.Failed, d.Data})
			}
			if err := s.insertFailures(t, d); err != nil {
				return err
			}
		}
		if _, err := t.each(`INSERT INTO @result (run, start, count, failed, data) VALUES ($1, $2, $3, $4, $5)`, results); err != nil {
			return err
		}
		return s.learn(t, done)
	})
	return accepted, err
}

func compare(a, b Key) int {
	if c := strings.Compare(a.Run, b.Run); c != 0 {
		return c
	}
	if a.Round != b.Round {
		return a.Round - b.Round
	}
	switch {
	case a.Start < b.Start:
		return -1
	case a.Start > b.Start:
		return 1
	}
	return 0
}

// Chunk returns an unfinished chunk.
func (s *Store) Chunk(ctx context.Context, key Key) (c Chunk, there bool, err error) {
	c.Key = key
	err = s.db.read(ctx, func(t tx) error {
		return t.one(`SELECT count, items, fence, crashes, alone FROM @chunk WHERE run = $1 AND round = $2 AND start = $3`,
			[]any{key.Run, key.Round, key.Start}, &c.Count, &c.Items, &c.Fence, &c.Crashes, &c.Alone)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, err
}

// Shed keeps the first items of a chunk, which are now c, with the worker, and hands the rest to others, as
// pieces. It returns false if the chunk does not belong to the worker any more.
func (s *Store) Shed(ctx context.Context, c Chunk, pieces []Chunk) (shed bool, err error) {
	err = s.db.write(ctx, func(t tx) error {
		if err := s.hold(t, c.Run); err != nil {
			return err
		}
		changed, err := t.exec(`UPDATE @chunk SET count = $1, items = $2 WHERE run = $3 AND round = $4 AND start = $5 AND fence = $6 AND count > $1`,
			c.Count, c.Items, c.Run, c.Round, c.Start, c.Fence)
		if shed = changed == 1; err != nil || !shed {
			return err
		}
		return s.insertChunks(t, pieces, first)
	})
	if errors.Is(err, ErrNoRun) {
		return false, nil
	}
	return shed, err
}

// learn stores how fast workers are.
func (s *Store) learn(t tx, done []Done) error {
	for _, d := range done {
		if d.Rate <= 0 {
			continue
		}
		_, err := t.exec(`INSERT INTO @function (name, rate, at) VALUES ($1, $2, `+s.db.now()+`)
			ON CONFLICT (name) DO UPDATE SET rate = excluded.rate, at = excluded.at`, d.Function, d.Rate)
		if err != nil {
			return err
		}
	}
	return nil
}

// Rate returns how many items per second a worker does of a function, 0 if that is not known, and how many workers
// have it.
func (s *Store) Rate(ctx context.Context, function string) (rate float64, workers int, err error) {
	err = s.db.read(ctx, func(t tx) error {
		err := t.one(`SELECT rate FROM @function WHERE name = $1`, []any{function}, &rate)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return t.all(`SELECT functions FROM @worker`, nil, func(scan func(...any) error) error {
			var functions string
			err := scan(&functions)
			if slices.Contains(strings.Fields(functions), function) {
				workers++
			}
			return err
		})
	})
	return rate, workers, err
}

// ItemsPerChunk is how many items the next chunks of a run have, on average; 0 if there are none.
func (s *Store) ItemsPerChunk(ctx context.Context, run string) (items float64, err error) {
	err = s.db.read(ctx, func(t tx) error {
		return t.one(`SELECT CAST(coalesce(avg(count), 0) AS double precision) FROM
			(SELECT count FROM @chunk WHERE run = $1 ORDER BY round, start LIMIT 20) AS soon`, []any{run}, &items)
	})
	return items, err
}
