// Command sqlite inserts 20 000 rows into a SQLite file. A statement that inserts many rows costs little more than one
// that inserts a single row; how many it should insert is measured.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/amorsize/amorsize"
)

type reading struct {
	ID    int
	Value float64
}

type database struct{ *sql.DB }

// insert inserts a batch, all of it or nothing. A row that is there already stays as it is, so a batch may be tried again.
func (db database) insert(ctx context.Context, batch []reading) ([]struct{}, error) {
	args := make([]any, 0, 2*len(batch))
	for _, r := range batch {
		args = append(args, r.ID, r.Value)
	}
	_, err := db.ExecContext(ctx, "INSERT INTO readings (id, value) VALUES "+
		strings.Repeat("(?, ?), ", len(batch)-1)+"(?, ?) ON CONFLICT DO NOTHING", args...)
	return make([]struct{}, len(batch)), err
}

func run(file string, readings []reading) error {
	pool, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	ctx := context.Background()
	if _, err := pool.ExecContext(ctx, "CREATE TABLE readings (id INTEGER PRIMARY KEY, value REAL)"); err != nil {
		return err
	}
	_, err = amorsize.ExecuteBatches(ctx, database{pool}.insert, readings,
		amorsize.WithMaxWorkers(1),        // SQLite has one writer at a time
		amorsize.WithMaxChunkSize(10_000)) // SQLite takes 32 766 values in a statement
	if err != nil {
		return err
	}
	var rows int
	var sum float64
	if err := pool.QueryRowContext(ctx, "SELECT count(*), sum(value) FROM readings").Scan(&rows, &sum); err != nil {
		return err
	}
	fmt.Println(rows, "rows, their values add up to", sum)
	return nil
}

func main() {
	folder, err := os.MkdirTemp("", "readings")
	if err != nil {
		log.Fatal(err)
	}
	readings := make([]reading, 20_000)
	for i := range readings {
		readings[i] = reading{ID: i, Value: float64(i % 10)}
	}
	err = run(filepath.Join(folder, "readings.db"), readings)
	_ = os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}
