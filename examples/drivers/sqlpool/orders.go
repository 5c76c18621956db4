package main

import (
	"context"
	"database/sql"
)

// filled returns a database of three orders for each of 2000 customers.
func filled(file string) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	_, err = pool.ExecContext(context.Background(), `
		CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, amount REAL);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999)
		INSERT INTO orders SELECT i, i % 2000, i % 2000 * 0.5 FROM n;
		CREATE INDEX of_customer ON orders (customer);`)
	return pool, err
}
