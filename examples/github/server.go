package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// fake is an API that counts requests as GitHub's does, by the hour; the first ends in two seconds.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	left  int
	reset time.Time
	begun int
}

func serve() *fake {
	f := &fake{begun: 1, left: 30, reset: time.Now().Add(2 * time.Second).Truncate(time.Second)}
	f.Server = httptest.NewServer(http.HandlerFunc(f.repository))
	return f
}

func (f *fake) repository(w http.ResponseWriter, r *http.Request) {
	time.Sleep(5 * time.Millisecond)
	ok := f.count(w.Header())
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	_, _ = fmt.Fprintf(w, `{"full_name":%q,"stargazers_count":%d}`, r.URL.Path[len("/repos/"):], len(r.URL.Path))
}

// count takes one request, if there is one left, and says in the header how many are.
func (f *fake) count(h http.Header) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); !now.Before(f.reset) {
		f.left, f.reset = 5000, now.Add(time.Hour)
		f.begun++
	}
	ok := f.left > 0
	if ok {
		f.left--
	}
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(f.left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(f.reset.Unix(), 10))
	return ok
}

func (f *fake) hours() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun
}
