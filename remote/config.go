package remote

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// Defaults of [Config].
const (
	DefaultHeartbeat   = 2 * time.Second
	DefaultDeadAfter   = 6 * time.Second
	DefaultChunkTime   = 250 * time.Millisecond
	DefaultGrace       = 10 * time.Second
	DefaultItemBytes   = 1 << 20
	DefaultResultBytes = 1 << 20
	DefaultConnections = 8
)

// Config is how to use a cluster. The zero value is useful, and is what [Open] uses. All programs of a cluster
// should use the same settings.
type Config struct {
	// Schema is the schema of the tables in a PostgreSQL; "amorsize" if it is empty.
	Schema string
	// Heartbeat is how often a worker reports that it is alive, at least 100 ms; [DefaultHeartbeat] if 0. DeadAfter
	// is when a silent worker is considered dead, and its chunks are given to others: at least twice the heartbeat,
	// [DefaultDeadAfter] if 0. Use 15 s for machines that are paused at times, as virtual ones are.
	Heartbeat, DeadAfter time.Duration
	// ChunkTime is how long a worker should be busy with a chunk, 10 ms to 10 s; [DefaultChunkTime] if 0. With
	// hundreds of workers it is longer, as the database requires.
	ChunkTime time.Duration
	// Grace is how long items in flight may take when a worker is stopped, until their contexts end; [DefaultGrace]
	// if 0. Items that have not begun are given to others at once.
	Grace time.Duration
	// MaxItemBytes and MaxResultBytes bound the encoded size of an item and a result: [DefaultItemBytes] and
	// [DefaultResultBytes] if 0, up to 64 MiB. A larger item is refused at submission; a larger result is a failure
	// of its item.
	MaxItemBytes, MaxResultBytes int
	// Connections is the maximum number of connections of a process to a PostgreSQL, at least 4;
	// [DefaultConnections] if 0.
	Connections int
	// Full writes every commit to SQLite to the disk before it counts. Without it a killed process loses nothing;
	// after a power failure, the last commits may be undone, and their items are run again.
	Full bool
	// Logger logs how a worker handles crashes and failures of the database; [slog.Default] if nil.
	Logger *slog.Logger

	wall func() time.Time // this machine's clock, for tests; time.Now if nil
}

// validated returns the settings with defaults in their places.
func (c Config) validated() (Config, error) {
	defaults(&c.Heartbeat, DefaultHeartbeat)
	defaults(&c.DeadAfter, DefaultDeadAfter)
	defaults(&c.ChunkTime, DefaultChunkTime)
	defaults(&c.Grace, DefaultGrace)
	defaults(&c.MaxItemBytes, DefaultItemBytes)
	defaults(&c.MaxResultBytes, DefaultResultBytes)
	defaults(&c.Connections, DefaultConnections)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	const most = 64 << 20
	for _, rule := range []struct {
		ok    bool
		field string
		value any
		want  string
	}{
		{c.Heartbeat >= 100*time.Millisecond, "Heartbeat", c.Heartbeat, "at least 100ms"},
		{c.DeadAfter >= 2*c.Heartbeat, "DeadAfter", c.DeadAfter, "at least twice the heartbeat, " + (2 * c.Heartbeat).String()},
		{c.ChunkTime >= 10*time.Millisecond && c.ChunkTime <= 10*time.Second, "ChunkTime", c.ChunkTime, "10ms to 10s"},
		{c.Grace > 0, "Grace", c.Grace, "above 0"},
		{c.MaxItemBytes > 0 && c.MaxItemBytes <= most, "MaxItemBytes", c.MaxItemBytes, "1 to 67108864"},
		{c.MaxResultBytes > 0 && c.MaxResultBytes <= most, "MaxResultBytes", c.MaxResultBytes, "1 to 67108864"},
		{c.Connections >= 4, "Connections", c.Connections, "at least 4"},
	} {
		if !rule.ok {
			return c, &ConfigError{rule.field, rule.value, rule.want}
		}
	}
	return c, nil
}

func defaults[T comparable](setting *T, value T) {
	var zero T
	if *setting == zero {
		*setting = value
	}
}

// Cluster is a database that keeps runs and gives work to workers. It is safe for concurrent use.
type Cluster struct {
	cfg    Config
	store  *store.Store
	commit committer
	news   news
}

// Open connects to a database with the default [Config]:
//
//	sqlite:runs.db                    a file, and no server; for the processes of one machine
//	postgres://user@host/database     for any number of machines; a connection string of pgx
//
// It creates the tables if there are none. It refuses tables of another version, with [ErrVersion]; see [Migrate].
// While the database cannot be reached it waits, and logs that, until ctx ends. An address, a user or a database
// that does not exist is an error at once.
func Open(ctx context.Context, url string) (*Cluster, error) { return Config{}.Open(ctx, url) }

// Open connects to a database with these settings; see the function [Open].
func (c Config) Open(ctx context.Context, url string) (*Cluster, error) {
	cluster, err := c.connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := patiently(ctx, cluster.cfg.Logger, "open the database", cluster.store.Check); err != nil {
		cluster.Close()
		return nil, failed("open", err)
	}
	return cluster, nil
}

// Migrate brings the tables of a database to the version that this program needs, and creates them if there are
// none. Stop programs of the previous version first.
func Migrate(ctx context.Context, url string) error { return Config{}.Migrate(ctx, url) }

// Migrate migrates with these settings; see the function [Migrate].
func (c Config) Migrate(ctx context.Context, url string) error {
	cluster, err := c.connect(ctx, url)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return failed("migrate", cluster.store.Migrate(ctx))
}

func (c Config) connect(ctx context.Context, url string) (*Cluster, error) {
	c, err := c.validated()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, store.Options{URL: url, Schema: c.Schema, Full: c.Full, Pool: c.Connections, Log: quiet(c.Logger), Wall: c.wall})
	if err != nil {
		return nil, failed("open", err)
	}
	cluster := &Cluster{cfg: c, store: s}
	cluster.commit.store = s
	return cluster, nil
}

// Close ends the connections. Workers and loops over results must have ended.
func (c *Cluster) Close() { c.store.Close() }

// news tells waiting goroutines of this process that something was committed.
type news struct {
	lock sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed with the next commit.
func (n *news) wait() <-chan struct{} {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
