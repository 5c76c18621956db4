// Command postgres inserts 100 000 rows into PostgreSQL, at the address in DATABASE_URL. How many rows a statement
// inserts, and how many statements run at once, is measured.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/retry"
)

type reading struct {
	ID    int64
	Value float64
}

type database struct{ *pgxpool.Pool }

// insert inserts a batch, all of it or nothing. A row that is there already stays as it is: if a connection breaks
// before the answer has come, the batch may be tried again.
func (db database) insert(ctx context.Context, batch []reading) ([]struct{}, error) {
	ids, values := make([]int64, len(batch)), make([]float64, len(batch))
	for i, r := range batch {
		ids[i], values[i] = r.ID, r.Value
	}
	_, err := db.Exec(ctx, `INSERT INTO amorsize_readings (id, value)
		SELECT * FROM unnest($1::bigint[], $2::float8[]) ON CONFLICT DO NOTHING`, ids, values)
	return make([]struct{}, len(batch)), err
}

// again reports whether an error is worth another attempt: the server's own word on a statement is final, unless it
// has no room (class 53), was stopped (57) or the transaction has met another one (40).
func again(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || slices.Contains([]string{"40", "53", "57"}, answer.Code[:2])
}

func run(ctx context.Context, url string, readings []reading) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.Exec(ctx, "CREATE TABLE amorsize_readings (id bigint PRIMARY KEY, value float8)")
	if err != nil {
		return err
	}
	_, err = amorsize.ExecuteBatches(ctx, database{pool}.insert, readings,
		amorsize.WithMaxWorkers(int(pool.Config().MaxConns)), // more would only wait for a connection
		amorsize.WithPolicies(retry.MustNew(retry.Policy{RetryIf: again, AttemptTimeout: time.Minute})))
	if err != nil {
		return err
	}
	var rows int
	var sum float64
	if err := pool.QueryRow(ctx, "SELECT count(*), sum(value) FROM amorsize_readings").Scan(&rows, &sum); err != nil {
		return err
	}
	fmt.Println(rows, "rows, their values add up to", sum)
	return nil
}

func main() {
	readings := make([]reading, 100_000)
	for i := range readings {
		readings[i] = reading{ID: int64(i), Value: float64(i % 10)}
	}
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		log.Fatal("DATABASE_URL must name a database, in which a table amorsize_readings is made")
	}
	if err := run(context.Background(), url, readings); err != nil {
		log.Fatal(err)
	}
}
