package store

import (
	"context"
	"strings"
	"time"
)

// Worker is a process that works chunks.
type Worker struct {
	ID        string
	Host      string
	PID       int
	Version   string
	Functions []string
	Started   time.Time
	Seen      time.Time
	Skew      time.Duration // its clock minus the database's
}

// Beat reports that a worker is alive. It returns true if the worker was considered dead meanwhile, and its chunks
// were given to others; it counts as alive again.
func (s *Store) Beat(ctx context.Context, w Worker) (buried bool, err error) {
	err = s.db.write(ctx, func(t tx) error {
		seen, err := t.exec(`UPDATE @worker SET seen = `+s.db.now()+`, clock = $1, functions = $2 WHERE id = $3`,
			s.clock.wall().UnixMicro(), strings.Join(w.Functions, " "), w.ID)
		if buried = seen == 0; err != nil || !buried {
			return err
		}
		_, err = t.exec(`INSERT INTO @worker (id, host, pid, version, functions, clock, started, seen)
			VALUES ($1, $2, $3, $4, $5, $6, `+s.db.now()+`, `+s.db.now()+`)`,
			w.ID, w.Host, w.PID, w.Version, strings.Join(w.Functions, " "), s.clock.wall().UnixMicro())
		return err
	})
	return buried, err
}

// Leave reports that a worker has ended. If River still has jobs running on it, it stays until it is buried.
func (s *Store) Leave(ctx context.Context, id string) error {
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`DELETE FROM @worker WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM @river_job WHERE state = 'running' AND `+s.db.lastWorker()+` = $1)`, id)
		return err
	})
}

// Workers returns the workers that are considered alive.
func (s *Store) Workers(ctx context.Context) (workers []Worker, err error) {
	err = s.db.read(ctx, func(t tx) error {
		return t.all(`SELECT id, host, pid, version, functions, clock, started, seen FROM @worker ORDER BY id`, nil, func(scan func(...any) error) error {
			var w Worker
			var functions string
			var clock, started, seen int64
			err := scan(&w.ID, &w.Host, &w.PID, &w.Version, &functions, &clock, &started, &seen)
			w.Functions, w.Started, w.Seen = strings.Fields(functions), time.UnixMicro(started), time.UnixMicro(seen)
			w.Skew = time.Duration(clock-seen) * time.Microsecond
			workers = append(workers, w)
			return err
		})
	})
	return workers, err
}
