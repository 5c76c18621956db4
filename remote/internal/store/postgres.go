package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// DefaultSchema has the tables of River and ours. It keeps them apart from other tables, and from their long
// transactions and names.
const DefaultSchema = "amorsize"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

type postgres struct {
	*engine[pgx.Tx]
	pool   *pgxpool.Pool
	schema string
	log    *slog.Logger
}

func openPostgres(ctx context.Context, o Options, c *clock) (database, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// pgx's message has the address, and that has the password
		return nil, fmt.Errorf("%w: PostgreSQL's driver does not understand it", ErrURL)
	}
	if o.Pool > 0 {
		cfg.MaxConns = int32(min(o.Pool, 10_000))
	}
	p := &postgres{schema: o.Schema, log: o.Log}
	if p.schema == "" {
		p.schema = DefaultSchema
	}
	if !schemaName.MatchString(p.schema) {
		return nil, fmt.Errorf("schema %q: must be lower-case letters, digits and _", p.schema)
	}
	if p.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	if p.engine, err = newEngine(riverpgxv5.New(p.pool), p.schema, o.Log, c); err != nil {
		p.pool.Close()
		return nil, err
	}
	return p, nil
}

func (p *postgres) close() { p.pool.Close() }

func (p *postgres) durability() string {
	return "set by the server's synchronous_commit and fsync; by default every commit is on its disk"
}

func (p *postgres) capacity() float64 { return 4000 }

func (p *postgres) client() jobs { return p.engine }

func (p *postgres) now() string { return `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint` }

func (p *postgres) lastWorker() string { return `attempted_by[array_upper(attempted_by, 1)]` }

func (p *postgres) runnable() string { return `state = 'available', scheduled_at = now()` }

func (p *postgres) text(column string) string { return column + `::text` }

func (p *postgres) runOf() string { return `args->>'run'` }

func (p *postgres) forUpdate() string { return ` FOR UPDATE` }

func (p *postgres) tables() []string {
	all := []string{}
	for _, statement := range common {
		all = append(all, strings.ReplaceAll(statement, "BYTES", "bytea"))
	}
	// The bytes are packed already; pglz would take longer than the chunk's way through the engine.
	return append(all,
		`ALTER TABLE @chunk ALTER COLUMN items SET STORAGE EXTERNAL`,
		`ALTER TABLE @result ALTER COLUMN data SET STORAGE EXTERNAL`)
}

func (p *postgres) lock(t tx) error {
	_, err := t.exec(`SELECT pg_advisory_xact_lock(hashtext('amorsize'), hashtext($1))`, p.schema)
	return err
}

func (p *postgres) exists(t tx, table string) (there bool, err error) {
	// to_regclass would answer from a cache that the wait for a lock does not refresh
	err = t.one(`SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)`,
		[]any{p.schema, table}, &there)
	return there, err
}

func (p *postgres) migrateJobs(ctx context.Context) error {
	err := p.write(ctx, func(t tx) error {
		if err := p.lock(t); err != nil {
			return err
		}
		_, err := t.exec(`CREATE SCHEMA IF NOT EXISTS ` + p.schema)
		return err
	})
	if err != nil {
		return err
	}
	// River's migrator takes no lock of its own: two at once would create the same table.
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('amorsize jobs'), hashtext($1))`, p.schema); err != nil {
		return err
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtext('amorsize jobs'), hashtext($1))`, p.schema)
	}()
	m, err := p.migrator(p.log)
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	return err
}

func (p *postgres) checkJobs(ctx context.Context) ([]string, error) { return p.check(ctx, p.log) }

func (p *postgres) insertJobs(ctx context.Context, t tx, jobs []queued) error {
	tx, ok := t.(*pgTx).on.(pgx.Tx)
	if !ok {
		return errors.New("jobs are inserted in a transaction")
	}
	return p.insert(ctx, tx, jobs)
}

func (p *postgres) work(_ context.Context, w Working) (working, error) { return p.engine.work(w) }

func (p *postgres) stuckVacuum(t tx) (string, error) {
	var pid, seconds int64
	err := t.one(`SELECT pid, extract(epoch FROM now() - xact_start)::bigint FROM pg_stat_activity
		WHERE datname = current_database() AND xact_start < now() - interval '5 minutes' AND pid <> pg_backend_pid()
		ORDER BY xact_start LIMIT 1`, nil, &pid, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("a transaction of process %d has been open for %d s: until it ends, deleted rows cannot be vacuumed", pid, seconds), nil
}

// tries is how often a transaction is begun again after the server rolled it back because of a conflict: a
// deadlock ends one of its transactions, and that one may begin again.
const tries = 5

func (p *postgres) write(ctx context.Context, fn func(tx) error) (err error) {
	for range tries {
		err = pgx.BeginFunc(ctx, p.pool, func(t pgx.Tx) error { return fn(&pgTx{ctx, t, p.schema}) })
		if pg, is := errors.AsType[*pgconn.PgError](err); !is || !strings.HasPrefix(pg.Code, "40") {
			return err
		}
	}
	return err
}

// read makes no transaction: that would cost two more round trips, and no reader needs two statements to see the
// same.
func (p *postgres) read(ctx context.Context, fn func(tx) error) error {
	return fn(&pgTx{ctx, p.pool, p.schema})
}

// session is a transaction or a pool.
type session interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

type pgTx struct {
	ctx    context.Context //nolint:containedctx // lives as long as the function that it is made for
	on     session
	schema string
}

func (t *pgTx) named(text string) string { return strings.ReplaceAll(text, "@", t.schema+".") }

// relaxed does not make a rate's row wait for the disk: if the server dies, its changes are lost with all leases.
func (t *pgTx) relaxed() { _, _ = t.on.Exec(t.ctx, `SET LOCAL synchronous_commit = off`) }

func (t *pgTx) exec(text string, args ...any) (int64, error) {
	tag, err := t.on.Exec(t.ctx, t.named(text), args...)
	return tag.RowsAffected(), err
}

func (t *pgTx) each(text string, args [][]any) ([]int64, error) {
	var batch pgx.Batch
	text = t.named(text)
	for _, a := range args {
		batch.Queue(text, a...)
	}
	sent := t.on.SendBatch(t.ctx, &batch)
	affected := make([]int64, len(args))
	for i := range args {
		tag, err := sent.Exec()
		if err != nil {
			return nil, errors.Join(err, sent.Close())
		}
		affected[i] = tag.RowsAffected()
	}
	return affected, sent.Close()
}

func (t *pgTx) one(text string, args []any, into ...any) error {
	err := t.on.QueryRow(t.ctx, t.named(text), args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return sql.ErrNoRows
	}
	return err
}

func (t *pgTx) all(text string, args []any, row func(func(...any) error) error) error {
	rows, err := t.on.Query(t.ctx, t.named(text), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
