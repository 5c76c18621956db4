// Package store keeps runs, their chunks and their outcomes in a database, beside the jobs of River that work
// them: the same statements for PostgreSQL and SQLite.
//
// A row of the table chunk is an unfinished chunk. The process that has its result deletes that row and inserts
// one in result, in one transaction: so a chunk has one result, and a run is complete when it is sealed and has no
// chunk left.
//
// Times are microseconds since 1970 by one clock, the database's: the server's clock for PostgreSQL, the machine's
// clock for SQLite. So wrong clocks of workers change nothing.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Errors for errors.Is.
var (
	ErrNoRun   = errors.New("no such run")
	ErrCursor  = errors.New("another process has submitted further items")
	ErrVersion = errors.New("the database is of another version")
	ErrURL     = errors.New("not the address of a database")
)

// Key names a chunk: a run's key, which round of it (0, and one more for each time that failures are retried), and its
// first item.
type Key struct {
	Run   string
	Round int
	Start int64
}

// Chunk is a number of items of a run that are worked together.
type Chunk struct {
	Key
	Count   int
	Items   []byte // frames
	Fence   int    // raised when the chunk is taken away from a worker: its later results are refused
	Crashes int    // how many workers ended while they had it
	Alone   bool   // in quarantine
}

// Job is what River carries: the place of the chunk.
type Job struct {
	Run   string `json:"run"`
	Round int    `json:"round"`
	Start int64  `json:"start"`
}

// Kind names the only kind of job.
func (Job) Kind() string { return "amorsize_chunk" }

// Key is the key of the job's chunk.
func (j Job) Key() Key { return Key(j) }

// Quarantine is the queue of chunks that have ended a process twice.
const Quarantine = "amorsize_quarantine"

// Options are how to open a store.
type Options struct {
	URL    string
	Schema string // PostgreSQL: where the tables are
	Full   bool   // SQLite: synchronous=FULL
	Pool   int    // connections at most; PostgreSQL
	Log    *slog.Logger
	Wall   func() time.Time // this machine's clock; time.Now if nil
}

// Store is a database that runs are kept in. It is safe for concurrent use.
type Store struct {
	db    database
	clock *clock
}

// Open connects to the database that o.URL names. It checks no tables; see [Store.Check].
func Open(ctx context.Context, o Options) (*Store, error) {
	c := &clock{wall: o.Wall}
	if c.wall == nil {
		c.wall = time.Now
	}
	scheme, rest, found := strings.Cut(o.URL, ":")
	var db database
	var err error
	switch {
	case found && scheme == "sqlite":
		db, err = openSQLite(ctx, rest, o, c)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		db, err = openPostgres(ctx, o, c)
	default:
		return nil, fmt.Errorf("%w: it must begin with sqlite: or postgres://", ErrURL)
	}
	if err != nil {
		return nil, err
	}
	return &Store{db, c}, nil
}

// Close ends all connections.
func (s *Store) Close() { s.db.close() }

// Durability says what the database keeps after a power failure.
func (s *Store) Durability() string { return s.db.durability() }

// Capacity is how many chunks per second the database takes, as measured on two cores: docs/remote.md.
func (s *Store) Capacity() float64 { return s.db.capacity() }

// Ping queries the database for its time.
func (s *Store) Ping(ctx context.Context) (time.Time, error) {
	var micros int64
	err := s.db.read(ctx, func(t tx) error { return t.one("SELECT "+s.db.now(), nil, &micros) })
	return time.UnixMicro(micros), err
}

// database is what differs between the two databases.
type database interface {
	// write runs fn in a transaction, and rolls it back after an error. read runs fn, which only reads, perhaps in
	// none.
	write(ctx context.Context, fn func(tx) error) error
	read(ctx context.Context, fn func(tx) error) error
	now() string                                     // an SQL expression
	lastWorker() string                              // an SQL expression: the worker that runs a job
	runnable() string                                // assignments to a job: from now on it waits to be run
	text(column string) string                       // a column of JSON as text
	runOf() string                                   // the run of a job\'s arguments
	forUpdate() string                               // locks rows that are read, where not everything is locked
	tables() []string                                // the statements that make version 1 of the tables
	lock(t tx) error                                 // one migration at a time
	exists(t tx, table string) (bool, error)         // whether there is such a table
	stuckVacuum(t tx) (string, error)                // what doctor reports of old transactions, "" for nothing
	migrateJobs(ctx context.Context) error           // River's own tables
	checkJobs(ctx context.Context) ([]string, error) // what is wrong with River's tables
	insertJobs(ctx context.Context, t tx, jobs []queued) error
	client() jobs
	work(ctx context.Context, w Working) (working, error)
	durability() string
	capacity() float64
	close()
}

// queued is a job, its queue, and its turn: what is taken up again goes first, since whoever reads in order waits
// for it.
type queued struct {
	queue string
	when  int // first or inTurn, priorities of River
	job   Job
}

const (
	first  = 1
	inTurn = 2
)

// tx is a transaction. Tables are written as @table.
type tx interface {
	exec(sql string, args ...any) (affected int64, err error)
	each(sql string, args [][]any) (affected []int64, err error) // in one trip, where there are trips
	one(sql string, args []any, into ...any) error               // sql.ErrNoRows if there is none
	relaxed()                                                    // this transaction need not outlive the server
	all(sql string, args []any, row func(scan func(...any) error) error) error
}
