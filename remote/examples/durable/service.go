package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

var (
	service string
	client  = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 10 * time.Second}
	asked   atomic.Int64
)

// ask returns the city of an airport.
func ask(ctx context.Context, code string) (string, error) {
	asked.Add(1)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service+"/?code="+url.QueryEscape(code), nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("airport %s: %s", code, response.Status)
	}
	return string(body), err
}

// serve starts a service on loopback that answers after 20 to 40 ms, and returns the airports that it knows.
func serve(path string) (codes []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, errors.New("no airports in " + path)
	}
	cities := map[string]string{}
	for _, row := range rows[1:] {
		cities[row[0]] = row[2]
		codes = append(codes, row[0])
	}
	service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		city, known := cities[r.URL.Query().Get("code")]
		if !known {
			http.NotFound(w, r)
			return
		}
		time.Sleep(time.Duration(20+len(city)%20) * time.Millisecond)
		_, _ = io.WriteString(w, city)
	})).URL
	return codes, nil
}
