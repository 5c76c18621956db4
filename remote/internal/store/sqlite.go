package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // the driver, without C
)

// busy is how long a statement waits for another process's statement to end.
const busy = 20 * time.Second

// readers is how many connections read, in addition to the one that writes.
const readers = 2

type sqlite struct {
	*engine[*sql.Tx]
	writer *sql.DB // one connection: SQLite has one writer, and waits in a queue are better than errors
	reader *sql.DB
	full   bool
	log    *slog.Logger
}

func openSQLite(ctx context.Context, path string, o Options, c *clock) (database, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.ContainsAny(path, "?\x00") {
		return nil, fmt.Errorf("%w: it must be sqlite: and a file's path, such as sqlite:runs.db", ErrURL)
	}
	if dir := filepath.Dir(path); dir != "." {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("the directory of %s: %w", path, err)
		}
	}
	err := owned(path)
	if err != nil {
		return nil, err
	}
	synchronous := "NORMAL"
	if o.Full {
		synchronous = "FULL"
	}
	open := func(begin string, more ...string) (*sql.DB, error) {
		query := url.Values{"_pragma": append([]string{
			"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")", "journal_mode(WAL)", "synchronous(" + synchronous + ")",
		}, more...), "_txlock": {begin}}
		return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	}
	s := &sqlite{full: o.Full, log: o.Log}
	if s.writer, err = open("immediate"); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.writer.PingContext(ctx); err != nil { // so that a file that cannot be opened is reported at once
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.writer.Close())
	}
	if s.reader, err = open("deferred", "query_only(true)"); err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	s.reader.SetMaxOpenConns(readers)
	if s.engine, err = newEngine(riversqlite.New(s.writer), "", o.Log, c); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// owned creates the file if there is none. It has items and results, so only its owner may read it; SQLite gives
// its other files the same mode.
func owned(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

func (s *sqlite) close() {
	_ = s.reader.Close()
	_ = s.writer.Close()
}

func (s *sqlite) durability() string {
	if s.full {
		return "every commit is on the disk"
	}
	return "a killed process loses nothing; after a power failure the last commits may be undone, each as a whole, and their items are run again"
}

func (s *sqlite) capacity() float64 { return 900 }

func (s *sqlite) client() jobs { return s.engine }

// now is this machine's clock: every process that uses the file is on this machine. SQLite's own counts
// milliseconds.
func (s *sqlite) now() string { return strconv.FormatInt(time.Now().UnixMicro(), 10) }

func (s *sqlite) lastWorker() string { return `json_extract(attempted_by, '$[#-1]')` }

func (s *sqlite) runnable() string {
	return `state = 'available', scheduled_at = datetime('now', 'subsec')`
}

func (s *sqlite) text(column string) string { return `json(` + column + `)` }

func (s *sqlite) runOf() string { return `json_extract(args, '$.run')` }

func (s *sqlite) forUpdate() string { return `` }

func (s *sqlite) tables() []string {
	all := []string{}
	for _, statement := range common {
		all = append(all, strings.ReplaceAll(statement, "BYTES", "blob"))
	}
	return all
}

func (s *sqlite) lock(tx) error { return nil } // there is one writer

func (s *sqlite) exists(t tx, table string) (there bool, err error) {
	err = t.one(`SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1`, []any{"amorsize_" + table}, &there)
	return there, err
}

func (s *sqlite) migrateJobs(ctx context.Context) error {
	// In one transaction: River's migrator takes no lock, and another process may be migrating.
	return s.write(ctx, func(t tx) error {
		m, err := s.migrator(s.log)
		if err == nil {
			_, err = m.MigrateTx(ctx, t.(*sqlTx).tx, rivermigrate.DirectionUp, nil) //nolint:staticcheck // deprecated for what PostgreSQL cannot do in one
		}
		return err
	})
}

func (s *sqlite) checkJobs(ctx context.Context) ([]string, error) { return s.check(ctx, s.log) }

func (s *sqlite) insertJobs(ctx context.Context, t tx, jobs []queued) error {
	return s.insert(ctx, t.(*sqlTx).tx, jobs)
}

func (s *sqlite) work(_ context.Context, w Working) (working, error) { return s.engine.work(w) }

func (s *sqlite) stuckVacuum(tx) (string, error) { return "", nil }

func (s *sqlite) write(ctx context.Context, fn func(tx) error) error { return inTx(ctx, s.writer, fn) }

func (s *sqlite) read(ctx context.Context, fn func(tx) error) error { return inTx(ctx, s.reader, fn) }

func inTx(ctx context.Context, db *sql.DB, fn func(tx) error) error {
	t, err := db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	if err := fn(&sqlTx{ctx, t}); err != nil {
		return errors.Join(err, rolledBack(t.Rollback()))
	}
	return t.Commit()
}

func rolledBack(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

type sqlTx struct {
	ctx context.Context //nolint:containedctx // lives as long as the function that it is made for
	tx  *sql.Tx
}

// named puts the tables beside those of others, and uses River's names for River's tables.
func (t *sqlTx) named(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "@river_", "river_"), "@", "amorsize_")
}

func (t *sqlTx) relaxed() {} // NORMAL is as relaxed as can be

func (t *sqlTx) exec(text string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, t.named(text), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t *sqlTx) each(text string, args [][]any) ([]int64, error) {
	statement, err := t.tx.PrepareContext(t.ctx, t.named(text))
	if err != nil {
		return nil, err
	}
	defer func() { _ = statement.Close() }()
	affected := make([]int64, len(args))
	for i, a := range args {
		result, err := statement.ExecContext(t.ctx, a...)
		if err != nil {
			return nil, err
		}
		if affected[i], err = result.RowsAffected(); err != nil {
			return nil, err
		}
	}
	return affected, nil
}

func (t *sqlTx) one(text string, args []any, into ...any) error {
	return t.tx.QueryRowContext(t.ctx, t.named(text), args...).Scan(into...)
}

func (t *sqlTx) all(text string, args []any, row func(func(...any) error) error) error {
	rows, err := t.tx.QueryContext(t.ctx, t.named(text), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
