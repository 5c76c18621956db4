package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// waiting is curl against a service that takes 100 ms.
func (c *commands) waiting() {
	if !has("curl") {
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) }))
	defer server.Close()
	items := c.items("urls", 200, func(i int) string { return server.URL + "/" + strconv.Itoa(i) })
	list := []contender{{"amorsize, -j auto", c.must("$A run -q -a " + items + " -- curl -s {}")}}
	for _, n := range []int{2, 8, 16, 24, 32, 48, 64} {
		list = append(list, contender{fmt.Sprintf("xargs -P%d", n), c.must(fmt.Sprintf("xargs -a %s -P%d -n1 curl -s", items, n))})
	}
	m := interleave(min(c.reps, 3), list)
	best := slices.Min(m[1:])
	t := newTable(c.options, "200 × curl, 100 ms", "Asked: within 1.25 × of the best -P picked by hand.", "", "s", "of the best -P")
	for i, l := range list {
		t.row(l.name, fmt.Sprintf("%.2f", m[i].Seconds()), fmt.Sprintf("%.2f", m[i].Seconds()/best.Seconds()))
	}
}

// requests is amorsize http beside a client written by hand.
func (c *commands) requests() {
	slots := make(chan struct{}, 64)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		slots <- struct{}{}
		time.Sleep(20 * time.Millisecond)
		<-slots
	}))
	defer server.Close()
	const n = 8000
	items := c.items("ids", n, strconv.Itoa)
	list := []contender{{"amorsize http", c.must("$A http -q " + server.URL + "/{} < " + items)}}
	for _, workers := range []int{16, 32, 64, 128, 256} {
		list = append(list, contender{fmt.Sprintf("by hand, %d workers", workers), func() { byHand(server.URL, n, workers) }})
	}
	m := interleave(min(c.reps, 3), list)
	best := slices.Min(m[1:])
	t := newTable(c.options, fmt.Sprintf("%d requests", n), "A service with 64 slots of 20 ms. Asked: ≥ 0.9 × a Go client written by hand with the best number of workers.", "", "s", "of the best by hand")
	for i, l := range list {
		t.row(l.name, fmt.Sprintf("%.2f", m[i].Seconds()), fmt.Sprintf("%.2f", best.Seconds()/m[i].Seconds()))
	}
}

func byHand(address string, n, workers int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				resp, err := client.Get(address + "/" + strconv.FormatInt(i, 10))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	group.Wait()
}

// limited is a service that takes so many requests per second and refuses others.
type limited struct {
	mu               sync.Mutex
	perSecond, burst float64
	tokens           float64
	last             time.Time
	served, refused  int
}

func (l *limited) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	now := time.Now()
	l.tokens = min(l.burst, l.tokens+now.Sub(l.last).Seconds()*l.perSecond)
	l.last = now
	ok := l.tokens >= 1
	if ok {
		l.tokens--
		l.served++
	} else {
		l.refused++
	}
	l.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	time.Sleep(100 * time.Millisecond)
}

// rates is 300 items at a service that takes 50 per second.
func (c *commands) rates() {
	const n, rate, burst = 300, 50, 10
	ideal := float64(n-burst)/rate + 0.1
	t := newTable(c.options, "300 items, 50 per second", fmt.Sprintf("A service that takes 50 per second (burst 10, 100 ms): %.1f s at best, %.1f s at an even pace. Asked: --rate 50/s none refused, within 3 %%; --rate auto none lost, within 1.5 ×.", ideal, float64(n-1)/rate+0.1),
		"", "s", "of the best", "of an even pace", "refused", "lost")
	for _, line := range []string{
		"$A run -q --rate 50/s --burst 5 -a ITEMS -- curl -sf URL/{}",
		"$A run -q --rate 50/s -a ITEMS -- curl -sf URL/{}",
		"$A run -q --rate auto --throttle-on exit:22 -a ITEMS -- curl -sf URL/{}",
		"$A http -q --rate 50/s -a ITEMS URL/{}",
		"$A http -q --rate auto -a ITEMS URL/{}",
		"xargs -a ITEMS -P8 -I{} curl -sf URL/{}",
	} {
		if strings.Contains(line, "curl") && !has("curl") {
			continue
		}
		service := &limited{perSecond: rate, burst: burst, tokens: burst, last: time.Now()}
		server := httptest.NewServer(service)
		began := time.Now()
		_, _ = c.sh(strings.NewReplacer("ITEMS", c.items("300", n, strconv.Itoa), "URL", server.URL).Replace(line))
		took := time.Since(began).Seconds()
		server.Close()
		t.row("`"+strings.NewReplacer("$A", "amorsize", " -a ITEMS", "", " -q", "").Replace(line)+"`",
			fmt.Sprintf("%.2f", took), fmt.Sprintf("%.3f", took/ideal), fmt.Sprintf("%.3f", took/(float64(n-1)/rate+0.1)), fmt.Sprint(service.refused), fmt.Sprint(n-service.served))
	}
}

// outage is 400 items at a service that is down from the second to the sixth second.
func (c *commands) outage() {
	const n = 400
	t := newTable(c.options, "An outage of 4 s", "400 items, 8 slots, 180 ms each; 503 from the second to the sixth second. Asked: none lost, fewer than 30 calls into the dead service.",
		"", "s", "lost", "calls into the dead service")
	for _, line := range []string{
		"$A run -q -j8 --retries 3 --breaker 8 --breaker-wait 500ms -a ITEMS -- curl -sf URL/{}",
		"$A http -q -j8 --breaker-wait 500ms -a ITEMS URL/{}",
		"xargs -a ITEMS -P8 -I{} curl -sf URL/{}",
		"parallel --will-cite -j8 --retries 4 -a ITEMS curl -sf URL/{}",
	} {
		if program, _, _ := strings.Cut(line, " "); program != "$A" && !has(program) || strings.Contains(line, "curl") && !has("curl") {
			continue
		}
		var served, dead atomic.Int64
		began := time.Now()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if at := time.Since(began); at > 2*time.Second && at < 6*time.Second {
				dead.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			time.Sleep(180 * time.Millisecond)
			served.Add(1)
		}))
		_, _ = c.sh(strings.NewReplacer("ITEMS", c.items("400", n, strconv.Itoa), "URL", server.URL).Replace(line))
		took := time.Since(began).Seconds()
		server.Close()
		t.row("`"+strings.NewReplacer("$A", "amorsize", " -a ITEMS", "", " -q", "").Replace(line)+"`",
			fmt.Sprintf("%.1f", took), fmt.Sprint(n-served.Load()), fmt.Sprint(dead.Load()))
	}
}
