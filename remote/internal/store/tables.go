package store

import (
	"context"
	"fmt"
	"strconv"
)

// Version is the version of the tables that this program creates and understands.
const Version = 1

// common are the tables in the form that both databases accept; BYTES is bytea or blob.
var common = []string{
	`CREATE TABLE @version (version bigint NOT NULL)`,
	`CREATE TABLE @run (
		id text PRIMARY KEY,
		key text NOT NULL UNIQUE,
		function text NOT NULL,
		signature text NOT NULL,
		state text NOT NULL CHECK (state IN ('open', 'paused', 'canceled')),
		items bigint NOT NULL DEFAULT 0,
		digest BYTES,
		sealed boolean NOT NULL DEFAULT false,
		round bigint NOT NULL DEFAULT 0,
		problem text NOT NULL DEFAULT '',
		created bigint NOT NULL,
		finished bigint NOT NULL DEFAULT 0
	)`,
	`CREATE TABLE @chunk (
		run text NOT NULL,
		round bigint NOT NULL,
		start bigint NOT NULL,
		count bigint NOT NULL CHECK (count > 0),
		items BYTES NOT NULL,
		fence bigint NOT NULL DEFAULT 0,
		crashes bigint NOT NULL DEFAULT 0,
		alone boolean NOT NULL DEFAULT false,
		PRIMARY KEY (run, round, start)
	)`,
	`CREATE TABLE @result (
		run text NOT NULL,
		start bigint NOT NULL,
		count bigint NOT NULL CHECK (count > 0),
		failed bigint NOT NULL,
		data BYTES NOT NULL,
		PRIMARY KEY (run, start)
	)`,
	`CREATE TABLE @failure (
		run text NOT NULL,
		item bigint NOT NULL,
		attempts bigint NOT NULL,
		error text NOT NULL,
		payload BYTES NOT NULL,
		state text NOT NULL CHECK (state IN ('failed', 'again', 'mended')),
		value BYTES,
		at bigint NOT NULL,
		PRIMARY KEY (run, item)
	)`,
	`CREATE TABLE @worker (
		id text PRIMARY KEY,
		host text NOT NULL,
		pid bigint NOT NULL,
		version text NOT NULL,
		functions text NOT NULL,
		clock bigint NOT NULL,
		started bigint NOT NULL,
		seen bigint NOT NULL
	)`,
	`CREATE TABLE @function (name text PRIMARY KEY, rate double precision NOT NULL, at bigint NOT NULL)`,
	`CREATE TABLE @rate (
		name text PRIMARY KEY,
		due bigint NOT NULL,
		paused bigint NOT NULL DEFAULT 0
	)`,
	`CREATE TABLE @breaker (name text PRIMARY KEY, until bigint NOT NULL, reason text NOT NULL)`,
}

// Found returns the version of the tables in the database; 0 if there are none.
func (s *Store) Found(ctx context.Context) (version int, err error) {
	err = s.db.read(ctx, func(t tx) error {
		there, err := s.db.exists(t, "version")
		if err != nil || !there {
			return err
		}
		return t.one(`SELECT max(version) FROM @version`, nil, &version)
	})
	return version, err
}

// Check prepares the tables: it creates them if there are none, and refuses those of another version.
func (s *Store) Check(ctx context.Context) error {
	found, err := s.Found(ctx)
	if err == nil && found == 0 {
		if err = s.Migrate(ctx); err == nil {
			found, err = s.Found(ctx)
		}
	}
	if err != nil {
		return err
	}
	return s.known(ctx, found)
}

func (s *Store) known(ctx context.Context, found int) error {
	switch {
	case found > Version:
		return fmt.Errorf("%w: its tables have version %d, this program knows up to %d: use a newer program", ErrVersion, found, Version)
	case found < Version:
		return fmt.Errorf("%w: its tables have version %d, this program needs %d: run amorsize migrate", ErrVersion, found, Version)
	}
	problems, err := s.db.checkJobs(ctx)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: River's tables: %s: run amorsize migrate", ErrVersion, problems[0])
	}
	return nil
}

// Migrate brings the tables to this program's version. Several processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.db.migrateJobs(ctx); err != nil {
		return fmt.Errorf("make River's tables: %w", err)
	}
	return s.db.write(ctx, func(t tx) error {
		if err := s.db.lock(t); err != nil {
			return err
		}
		there, err := s.db.exists(t, "version")
		if err != nil {
			return err
		}
		if there {
			var version int
			if err := t.one(`SELECT max(version) FROM @version`, nil, &version); err != nil {
				return err
			}
			if version > Version {
				return fmt.Errorf("%w: its tables have version %d, this program knows up to %d: use a newer program", ErrVersion, version, Version)
			}
			return nil // there is only one version so far
		}
		for _, statement := range s.db.tables() {
			if _, err := t.exec(statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		_, err = t.exec(`INSERT INTO @version (version) VALUES (` + strconv.Itoa(Version) + `)`)
		return err
	})
}
