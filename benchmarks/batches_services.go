package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"time"
)

// serialBulk computes under a lock, as what has one writer does.
func serialBulk() (bulkService, error) {
	var mu sync.Mutex
	start, each := roundsFor(100*time.Microsecond), float64(roundsFor(100*time.Microsecond))/100
	return bulkService{func(_ context.Context, batch []row) error {
		mu.Lock()
		defer mu.Unlock()
		runtime.KeepAlive(spin(start + item(each*float64(len(batch)))))
		return nil
	}, func() {}, func() {}}, nil
}

// httpBulk is a service on loopback that serves four calls at once and has the others
// wait. It is sent the items as JSON.
func httpBulk() (bulkService, error) {
	free := make(chan struct{}, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		free <- struct{}{}
		time.Sleep(5*time.Millisecond + time.Duration(len(batch))*10*time.Microsecond)
		<-free
		_, _ = io.WriteString(w, "ok")
	}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}
	return bulkService{func(ctx context.Context, batch []row) error {
		ids := make([]int, len(batch))
		for i, r := range batch {
			ids[i] = r.id
		}
		body, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", resp.Status)
		}
		return nil
	}, func() {}, server.Close}, nil
}

// postgresBulk inserts into a table of a real PostgreSQL, a statement for a batch.
func postgresBulk() (bulkService, error) {
	stopServer, dsn, err := startPostgres()
	if err != nil {
		return bulkService{}, err
	}
	db, err := sql.Open("pgx", dsn)
	if err == nil {
		_, err = db.Exec("create unlogged table rows (id integer, name text)")
	}
	if err != nil {
		stopServer()
		return bulkService{}, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	insert := func(ctx context.Context, batch []row) error {
		ids, names := make([]int, len(batch)), make([]string, len(batch))
		for i, r := range batch {
			ids[i], names[i] = r.id, r.name
		}
		_, err := db.ExecContext(ctx, "insert into rows select * from unnest($1::int[], $2::text[])", ids, names)
		return err
	}
	empty := func() { _ = must(db.Exec("truncate rows")) }
	return bulkService{insert, empty, func() { _ = db.Close(); stopServer() }}, nil
}
