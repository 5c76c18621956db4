package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"time"
)

// ioSuite runs calls that wait: asleep, and over real HTTP on loopback.
func ioSuite(o options) {
	t := newTable(o, "Waiting work, unlimited service", "Time relative to the best fixed number of workers.",
		"calls", "best fixed N", "GOMAXPROCS workers", "**amorsize**", "amorsize, time")
	sleepy := func(d time.Duration) work {
		return func(n item) (result, error) { time.Sleep(d); return n, nil }
	}
	server, client := startServer()
	defer server.Close()
	fetch := func(d time.Duration) work {
		url := server.URL + "?wait=" + strconv.Itoa(int(d.Microseconds()))
		return func(n item) (result, error) { return n, get(client, url) }
	}
	for _, c := range []struct {
		name    string
		fn      work
		n       int
		call    time.Duration
		claimed float64 // most × the best fixed number
	}{
		{"asleep, 1000 × 100 ms", sleepy(100 * time.Millisecond), 1000, 100 * time.Millisecond, 6},
		{"asleep, 2000 × 5 ms", sleepy(5 * time.Millisecond), 2000, 5 * time.Millisecond, 10},
		{"HTTP, 300 × 100 ms", fetch(100 * time.Millisecond), 300, 100 * time.Millisecond, 5},
		{"HTTP, 2000 × 5 ms", fetch(5 * time.Millisecond), 2000, 5 * time.Millisecond, 2.5},
	} {
		items := sequence(c.n)
		var picked []contender
		for _, workers := range []int{32, 128, 300, 1000, 2000} {
			if workers <= c.n {
				a := errgroupWorkers(workers)
				picked = append(picked, contender{strconv.Itoa(workers), func() { a.run(c.fn, items) }})
			}
		}
		best := fastest(3, picked)
		times := interleave(o.reps, []contender{best, {"ours", func() { ours.run(c.fn, items) }}})
		// With one worker per core the time is known, and long.
		procs := time.Duration(c.n) * c.call / time.Duration(runtime.GOMAXPROCS(0))
		t.row(c.name, fmt.Sprintf("1.00 (N = %s, %v)", best.name, times[0].Round(time.Millisecond)),
			"≥ "+ratio(procs, times[0]), ratio(times[1], times[0]), times[1].Round(time.Millisecond).String())
		o.atMost(c.name+": × the best fixed number", float64(times[1])/float64(times[0]), c.claimed)
	}
}

// startServer starts a server on loopback that answers after ?wait= microseconds.
func startServer() (*httptest.Server, *http.Client) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait, err := strconv.Atoi(r.URL.Query().Get("wait"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(wait) * time.Microsecond)
		_, _ = io.WriteString(w, "ok")
	}))
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	return server, &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func get(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
