package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func newPage(t *testing.T, o Options) *Page {
	t.Helper()
	p, err := New(o)
	require.NoError(t, err)
	return p
}

// get asks the page for something.
func get(p *Page, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"live: invalid: MaxRuns = -1: must be at least 1, or 0 for the default":    {MaxRuns: -1},
		"live: invalid: MaxViewers = -1: must be at least 1, or 0 for the default": {MaxViewers: -1},
	} {
		_, err := New(o)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// The page is its own: what it loads it has, it says what it is, and changes nothing.
func TestServed(t *testing.T) {
	p := newPage(t, Options{Title: "crawl <b>"})
	for target, want := range map[string]struct{ kind, text string }{
		"/amorsize/":          {"text/html; charset=utf-8", "<title>crawl &lt;b&gt;: runs</title>"},
		"/":                   {"text/html; charset=utf-8", "<h1>crawl &lt;b&gt;</h1>"},
		"/amorsize/app.js":    {"text/javascript; charset=utf-8", "EventSource"},
		"/amorsize/style.css": {"text/css; charset=utf-8", "prefers-color-scheme"},
		"/amorsize/icon.svg":  {"image/svg+xml", "<svg"},
		"/amorsize/runs.json": {"application/json", "[]\n"},
	} {
		w := get(p, target)
		require.Equal(t, http.StatusOK, w.Code, target)
		require.Equal(t, want.kind, w.Header().Get("Content-Type"))
		require.Contains(t, w.Body.String(), want.text)
		require.Equal(t, policyOfContent, w.Header().Get("Content-Security-Policy"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		for _, elsewhere := range []string{"http://", "https://", "<style", "style=", "onclick"} {
			text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
			require.NotContains(t, text, elsewhere, target)
		}
	}
	for _, target := range []string{"/amorsize/index.html", "/amorsize/other", "/amorsize/run.json", "/amorsize/run.json?run=7", "/amorsize/run.json?run=x"} {
		require.Equal(t, http.StatusNotFound, get(p, target).Code, target)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}

// detailOf is a run as the page has it.
func detailOf(t *testing.T, p *Page, target string) (d detail) {
	t.Helper()
	body := get(p, target).Body
	require.NotContains(t, body.String(), "null", "the script expects lists")
	require.NoError(t, json.Unmarshal(body.Bytes(), &d))
	return d
}

// A run whose service goes down for a while is shown as what it is at the time, in words as well,
// and kept as what it came to.
func TestRunIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, Options{})
		stop := amorsize.Watch(p.Observer)
		defer stop()
		start := time.Now()
		service := func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			if at := time.Since(start); at > 2*time.Second && at < 4*time.Second {
				return 0, errors.New("secret pear")
			}
			return i, nil
		}
		limiter := ratelimit.MustNew(ratelimit.Policy{Name: "search", RequestsPerSecond: 100, BurstSize: 1})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 3, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait})
		again := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, MaxDelay: time.Second})
		done := make(chan error)
		go func() {
			_, err := amorsize.ExecuteContext(t.Context(), service, make([]int, 500),
				amorsize.WithName("night crawl"), amorsize.WithPolicies(again, limiter, breaker))
			done <- err
		}()
		at := func(d time.Duration) detail {
			time.Sleep(d - time.Since(start))
			return detailOf(t, p, "/run.json?run=1")
		}
		d := at(time.Millisecond / 2)
		require.Equal(t, "night crawl", d.Name)
		d = at(1500 * time.Millisecond)
		require.Equal(t, "night crawl", d.Name)
		require.Contains(t, d.Function, "TestRunIsShown")
		require.Equal(t, running, d.State)
		require.Equal(t, 500, d.Total)
		require.InDelta(t, 145, d.Completed, 20)
		require.Equal(t, "policies", d.Bound)
		require.Contains(t, d.Means, `Calls wait for the rate limiter "search"`)
		require.InDelta(t, 3.6, d.RemainingS, 0.6)
		require.NotEmpty(t, d.Plan)
		require.Len(t, d.Waits, 1)

		d = at(2500 * time.Millisecond)
		require.Contains(t, d.Means, `The circuit breaker "search" is open`)
		require.Equal(t, "open", d.Policies[0].State)
		require.Equal(t, []string{"circuitbreaker search: open"}, d.Told)
		require.Positive(t, d.Calls.Other)

		require.NoError(t, <-done)
		d = detailOf(t, p, "/run.json?run=1")
		require.Equal(t, ok, d.State)
		require.Equal(t, 500, d.Completed)
		require.EqualValues(t, 500, d.Calls.OK)
		require.Empty(t, d.Policies)
		require.Zero(t, d.InFlight)
		require.Greater(t, len(d.Points), 15)
		before, calls := 0.0, 0.0
		for _, point := range d.Points {
			require.Greater(t, point.At, before)
			calls += point.Goodput * (point.At - before)
			before = point.At
		}
		require.InDelta(t, 500, calls, 50, "but for those behind the last point")
		require.LessOrEqual(t, calls, 500.5)
		require.NotContains(t, get(p, "/run.json?run=1").Body.String(), "pear", "what the function says may have items in it")
	})
}

// A run that is over keeps nothing of the program's alive.
func TestNothingIsKeptAlive(t *testing.T) {
	p := newPage(t, Options{})
	p.Observer(amorsize.RunInfo{Context: t.Context(), Name: "one"})
	require.Nil(t, p.find(1).info.Context)
}

// The error of a run is shown to those who ask for it.
func TestErrorsWhenAskedFor(t *testing.T) {
	for _, errs := range []bool{false, true} {
		p := newPage(t, Options{Errors: errs})
		_, err := amorsize.Execute(func(int) (int, error) { return 0, errors.New("secret pear") }, []int{1},
			amorsize.WithObserver(p.Observer(amorsize.RunInfo{Name: "one", Started: time.Now()})))
		require.Error(t, err)
		d := detailOf(t, p, "/run.json?run=1")
		require.Equal(t, failed, d.State)
		require.Equal(t, errs, strings.Contains(d.Error, "pear"))
	}
}

// Runs that have ended are dropped, the oldest first; those that go on are kept.
func TestRunsAreKeptWithinABound(t *testing.T) {
	p := newPage(t, Options{MaxRuns: 10})
	p.Observer(amorsize.RunInfo{Name: "goes on"})
	for range 200 {
		_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, []int{1}, amorsize.WithObserver(p.Observer(amorsize.RunInfo{})))
		require.NoError(t, err)
		runs, _ := p.list()
		require.LessOrEqual(t, len(runs), 10+16)
	}
	var all []summary
	require.NoError(t, json.Unmarshal(get(p, "/runs.json").Body.Bytes(), &all))
	require.Equal(t, "goes on", all[0].Name)
	require.Equal(t, 201, all[len(all)-1].ID)
	require.NotNil(t, p.find(201))
	require.Nil(t, p.find(2))
}

// Who looks is told all once, and then what is new; nothing but a sign of life where nothing is.
func TestNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, Options{})
		o := p.Observer(amorsize.RunInfo{Name: "first", Total: 5})
		p.Observer(amorsize.RunInfo{Name: "second"})
		v := viewer{page: p, run: p.find(1), seen: map[int]int64{}}
		next := func() (n news, told bool) {
			text, told := strings.CutPrefix(v.next(time.Now()), "data: ")
			if told {
				require.NoError(t, json.Unmarshal([]byte(text), &n))
			}
			return n, told
		}
		n, _ := next()
		require.Len(t, n.Runs, 2)
		require.Equal(t, "first", n.Run.Name)
		require.Positive(t, n.Process.HeapBytes)
		_, told := next()
		require.False(t, told)
		o.Observe(amorsize.Event{Kind: amorsize.Progressed, Progress: &amorsize.Progress{Completed: 3, Total: 5, Calls: &amorsize.Calls{}}})
		n, _ = next()
		require.Len(t, n.Runs, 1)
		require.Equal(t, 3, n.Run.Completed)
		o.Observe(amorsize.Event{Kind: amorsize.ChunkDone})
		_, told = next()
		require.False(t, told)
		time.Sleep(beat)
		n, told = next()
		require.True(t, told)
		require.Empty(t, n.Runs)
		v.seen[-7], p.dropped = 1, 1
		n, _ = next()
		require.Equal(t, []int{-7}, n.Gone, "it is kept no more")
		require.Len(t, v.seen, 2)
	})
}

// Streams end when who looks goes away, and when the page is closed; there is room for so many.
func TestEvents(t *testing.T) {
	p := newPage(t, Options{MaxViewers: 1})
	p.Observer(amorsize.RunInfo{Name: "first"})
	server := httptest.NewServer(p)
	defer server.Close()
	first := func() *http.Response {
		for {
			r, err := http.Get(server.URL + "/events?run=1")
			require.NoError(t, err)
			if r.StatusCode == http.StatusOK {
				return r
			}
			require.Equal(t, "5", r.Header.Get("Retry-After"))
			require.NoError(t, r.Body.Close()) // the one before has not been counted out yet
		}
	}
	r := first()
	require.Equal(t, "text/event-stream", r.Header.Get("Content-Type"))
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"name":"first"`)
	second, err := http.Get(server.URL + "/events")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, second.StatusCode)
	require.NoError(t, second.Body.Close())
	require.NoError(t, r.Body.Close())

	r = first()
	head, err := http.Head(server.URL + "/events")
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", head.Header.Get("Content-Type"))
	require.NoError(t, head.Body.Close())
	p.Close()
	p.Close()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
	}
	require.NoError(t, r.Body.Close())
	http.DefaultClient.CloseIdleConnections()
}

// The history of a long run has as many points as that of a short one, at most.
func TestHistory(t *testing.T) {
	var h history
	var calls amorsize.Calls
	for i := range 5000 {
		calls.Ended += 10
		calls.Latency.Add(time.Duration(i+1)*time.Microsecond, 10)
		snapshot := calls
		snapshot.Latency = calls.Latency.Clone()
		h.add(amorsize.Progress{Elapsed: time.Duration(i+1) * 100 * time.Millisecond, Calls: &snapshot})
		require.Less(t, len(h.points), maxPoints)
	}
	require.Greater(t, len(h.points), maxPoints/4)
	for i, point := range h.points {
		require.InDelta(t, 100, point.Goodput, 1e-6)
		require.InEpsilon(t, point.At/100*1e-3, point.P50, 0.3, "of what was lately")
		if i > 0 {
			require.Greater(t, point.At, h.points[i-1].At)
		}
	}
}
