package remote

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// WorkerInfo is a worker that is considered alive.
type WorkerInfo struct {
	ID        string
	Host      string
	PID       int
	Version   string // of its program
	Functions []string
	Started   time.Time
	Seen      time.Time     // when it last said that it is alive
	Skew      time.Duration // its clock minus the database's; nothing depends on it
}

// Workers returns the workers that are considered alive.
func (c *Cluster) Workers(ctx context.Context) ([]WorkerInfo, error) {
	workers, err := c.store.Workers(ctx)
	if err != nil {
		return nil, failed("workers", err)
	}
	all := make([]WorkerInfo, len(workers))
	for i, w := range workers {
		all[i] = WorkerInfo(w)
	}
	return all, nil
}

// Finding is one thing that [Cluster.Doctor] has checked.
type Finding struct {
	What string
	OK   bool
	Says string
}

// maxSkew is the clock skew that is reported: beyond it, logs of two machines cannot be compared.
const maxSkew = 5 * time.Second

// Doctor checks the database, the workers and the runs, and returns its findings. An error is an error of the
// database.
func (c *Cluster) Doctor(ctx context.Context) ([]Finding, error) {
	begun := time.Now()
	now, err := c.store.Ping(ctx)
	if err != nil {
		return nil, failed("doctor", err)
	}
	trip := time.Since(begun)
	skew := now.Sub(begun.Add(trip / 2)).Round(time.Millisecond)
	found := []Finding{
		{"database", trip < 100*time.Millisecond, fmt.Sprintf("answers within %v; durability: %s", trip.Round(10*time.Microsecond), c.store.Durability())},
		{"clock", skew.Abs() < maxSkew, fmt.Sprintf("the database's clock is %v ahead of this machine's", skew)},
	}
	version, err := c.store.Found(ctx)
	if err != nil {
		return nil, failed("doctor", err)
	}
	found = append(found, Finding{"version", true, fmt.Sprintf("the tables have version %d", version)})
	vacuum, err := c.store.Vacuum(ctx)
	if err != nil {
		return nil, failed("doctor", err)
	}
	if vacuum == "" {
		found = append(found, Finding{"vacuum", true, "no long transaction prevents it"})
	} else {
		found = append(found, Finding{"vacuum", false, vacuum})
	}
	for _, look := range []func(context.Context) ([]Finding, error){c.ofWorkers, c.ofRuns} {
		more, err := look(ctx)
		if err != nil {
			return nil, failed("doctor", err)
		}
		found = append(found, more...)
	}
	return found, nil
}

func (c *Cluster) ofWorkers(ctx context.Context) (found []Finding, err error) {
	workers, err := c.store.Workers(ctx)
	versions := map[string]bool{}
	for _, w := range workers {
		versions[w.Version] = true
		if w.Skew.Abs() >= maxSkew {
			found = append(found, Finding{"clock", false, fmt.Sprintf("the clock of worker %s is %v ahead of the database's", w.ID, w.Skew.Round(time.Second))})
		}
	}
	found = append(found, Finding{"workers", len(workers) > 0 && len(versions) <= 1, fmt.Sprintf("%d running, program versions: %d", len(workers), len(versions))})
	return found, err
}

func (c *Cluster) ofRuns(ctx context.Context) (found []Finding, err error) {
	runs, err := c.store.Runs(ctx, true)
	for _, r := range runs {
		if r.Problem != "" {
			found = append(found, Finding{"run " + r.ID, false, r.Problem})
			continue
		}
		_, workers, err := c.store.Rate(ctx, r.Function)
		if err != nil {
			return nil, err
		}
		if workers == 0 {
			found = append(found, Finding{"run " + r.ID, false, "no worker has registered its function, " + r.Function})
		}
		lost, err := c.store.Lost(ctx, r)
		if err != nil {
			return nil, err
		}
		if lost {
			found = append(found, Finding{"run " + r.ID, false, "it has chunks without a job; one of its workers will enqueue them within a minute"})
		}
	}
	return found, err
}

// River returns the client of River for this database; the other client is nil. It is for River's own tools, such
// as its web interface. It works no jobs. Jobs and queues belong to this package: read them, never change them.
func (c *Cluster) River() (postgresql *river.Client[pgx.Tx], sqlite *river.Client[*sql.Tx]) {
	return c.store.Clients()
}
