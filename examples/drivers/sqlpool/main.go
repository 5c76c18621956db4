// Command sqlpool asks a database about 2000 customers through the pool of database/sql. A call beyond the pool's
// connections would only wait for one, so the pool's size bounds the calls in flight.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"; any other does as well

	"github.com/amorsize/amorsize"
)

const connections = 4

type database struct{ *sql.DB }

func (db database) total(ctx context.Context, customer int) (sum float64, err error) {
	err = db.QueryRowContext(ctx, "SELECT coalesce(sum(amount), 0) FROM orders WHERE customer = ?", customer).Scan(&sum)
	return sum, err
}

func run(pool *sql.DB) error {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections) // the default is 2: others would be closed and opened all the time
	customers := make([]int, 2000)
	for i := range customers {
		customers[i] = i
	}
	totals, err := amorsize.ExecuteContext(context.Background(), database{pool}.total, customers,
		amorsize.WithMaxWorkers(connections))
	if err != nil {
		return err
	}
	fmt.Println(len(totals), "customers; the last one ordered for", totals[1999])
	fmt.Println("calls that waited for a connection:", pool.Stats().WaitCount)
	return nil
}

func main() {
	folder, err := os.MkdirTemp("", "orders")
	if err != nil {
		log.Fatal(err)
	}
	pool, err := filled(filepath.Join(folder, "orders.db"))
	if err == nil {
		err = run(pool)
		_ = pool.Close()
	}
	_ = os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}
