//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// chunkArgs is what a job of the program by hand carries: the place of its chunk. The items are in a table, as a
// River user would have it, and the result in another.
type chunkArgs struct {
	Index int `json:"index"`
}

func (chunkArgs) Kind() string { return "chunk" }

// tables is what the program by hand does to its database.
type tables[TTx any] struct {
	driver riverdriver.Driver[TTx]
	exec   func(ctx context.Context, sql string, args ...any) error
	one    func(ctx context.Context, into any, sql string, args ...any) error
	all    func(ctx context.Context, row func([]byte) error, sql string, args ...any) error
	in     func(ctx context.Context, fn func(tx TTx, exec func(sql string, args ...any) error) error) error
	bytes  string
}

type byHand[TTx any] struct {
	river.WorkerDefaults[chunkArgs]
	t tables[TTx]
}

// Work does what [triple] does to the items of a chunk.
func (w *byHand[TTx]) Work(ctx context.Context, job *river.Job[chunkArgs]) error {
	var data []byte
	if err := w.t.one(ctx, &data, `SELECT items FROM hand_chunk WHERE idx = $1`, job.Args.Index); err != nil {
		return err
	}
	var items []int
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	for i := range items {
		items[i] *= 3
	}
	data, err := json.Marshal(items)
	if err != nil {
		return err
	}
	return w.t.exec(ctx, `INSERT INTO hand_result (idx, data) VALUES ($1, $2) ON CONFLICT DO NOTHING`, job.Args.Index, data)
}

// hand runs the program by hand: submit in batches, work, gather in order.
func (t tables[TTx]) hand(ctx context.Context, n, chunk int) (time.Duration, error) {
	if err := t.prepare(ctx); err != nil {
		return 0, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &byHand[TTx]{t: t})
	client, err := river.NewClient(t.driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 200}}, Workers: workers,
		FetchCooldown: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	defer func() { _ = client.Stop(ctx) }()
	time.Sleep(300 * time.Millisecond)
	begun := time.Now()
	total, err := t.submit(ctx, client, n, chunk)
	if err != nil {
		return 0, err
	}
	next := 0
	for next < total {
		found := 0
		err := t.all(ctx, func(data []byte) error {
			var values []int
			found++
			return json.Unmarshal(data, &values)
		}, `SELECT data FROM hand_result WHERE idx >= $1 AND idx < (SELECT coalesce(min(g.idx), $2) FROM hand_chunk g
			WHERE g.idx >= $1 AND NOT EXISTS (SELECT 1 FROM hand_result r WHERE r.idx = g.idx)) ORDER BY idx`, next, total)
		if err != nil {
			return 0, err
		}
		if next += found; found == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return time.Since(begun), nil
}

func (t tables[TTx]) prepare(ctx context.Context) error {
	m, err := rivermigrate.New(t.driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	for _, s := range []string{
		`DROP TABLE IF EXISTS hand_chunk`, `DROP TABLE IF EXISTS hand_result`, `DELETE FROM river_job`,
		`CREATE TABLE hand_chunk (idx bigint PRIMARY KEY, items ` + t.bytes + `)`,
		`CREATE TABLE hand_result (idx bigint PRIMARY KEY, data ` + t.bytes + `)`,
	} {
		if err := t.exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (t tables[TTx]) submit(ctx context.Context, client *river.Client[TTx], n, chunk int) (total int, err error) {
	const batch = 64
	for from := 0; from < n; {
		err := t.in(ctx, func(tx TTx, exec func(string, ...any) error) error {
			var jobs []river.InsertManyParams
			var rows []string
			var args []any
			for range batch {
				if from >= n {
					break
				}
				items := make([]int, 0, chunk)
				for ; len(items) < chunk && from < n; from++ {
					items = append(items, from)
				}
				data, err := json.Marshal(items)
				if err != nil {
					return err
				}
				rows = append(rows, fmt.Sprintf("($%d, $%d)", len(args)+1, len(args)+2))
				args = append(args, total, data)
				jobs = append(jobs, river.InsertManyParams{Args: chunkArgs{total}})
				total++
			}
			if err := exec(`INSERT INTO hand_chunk (idx, items) VALUES `+strings.Join(rows, ", "), args...); err != nil {
				return err
			}
			_, err := client.InsertManyFastTx(ctx, tx, jobs)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// handOn runs the program by hand in a place.
func handOn(ctx context.Context, p place, n, chunk int) (time.Duration, error) {
	if p.schema == "" {
		db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(p.url, "sqlite:")+
			".hand?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
		if err != nil {
			return 0, err
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		return sqliteTables(db).hand(ctx, n, chunk)
	}
	cfg, err := pgxpool.ParseConfig(p.url)
	if err != nil {
		return 0, err
	}
	cfg.MaxConns = 16
	name := p.schema + "_hand"
	cfg.ConnConfig.RuntimeParams["search_path"] = name
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+name); err != nil {
		return 0, err
	}
	return pgTables(pool).hand(ctx, n, chunk)
}

func sqliteTables(db *sql.DB) tables[*sql.Tx] {
	return tables[*sql.Tx]{
		driver: riversqlite.New(db), bytes: "blob",
		exec: func(ctx context.Context, s string, args ...any) error {
			_, err := db.ExecContext(ctx, s, args...)
			return err
		},
		one: func(ctx context.Context, into any, s string, args ...any) error {
			return db.QueryRowContext(ctx, s, args...).Scan(into)
		},
		all: func(ctx context.Context, row func([]byte) error, s string, args ...any) error {
			rows, err := db.QueryContext(ctx, s, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var data []byte
				if err := rows.Scan(&data); err != nil {
					return err
				}
				if err := row(data); err != nil {
					return err
				}
			}
			return rows.Err()
		},
		in: func(ctx context.Context, fn func(*sql.Tx, func(string, ...any) error) error) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			if err := fn(tx, func(s string, args ...any) error { _, err := tx.ExecContext(ctx, s, args...); return err }); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
}

func pgTables(pool *pgxpool.Pool) tables[pgx.Tx] {
	return tables[pgx.Tx]{
		driver: riverpgxv5.New(pool), bytes: "bytea",
		exec: func(ctx context.Context, s string, args ...any) error {
			_, err := pool.Exec(ctx, s, args...)
			return err
		},
		one: func(ctx context.Context, into any, s string, args ...any) error {
			return pool.QueryRow(ctx, s, args...).Scan(into)
		},
		all: func(ctx context.Context, row func([]byte) error, s string, args ...any) error {
			rows, err := pool.Query(ctx, s, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var data []byte
				if err := rows.Scan(&data); err != nil {
					return err
				}
				if err := row(data); err != nil {
					return err
				}
			}
			return rows.Err()
		},
		in: func(ctx context.Context, fn func(pgx.Tx, func(string, ...any) error) error) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				return fn(tx, func(s string, args ...any) error { _, err := tx.Exec(ctx, s, args...); return err })
			})
		},
	}
}
