package amorsizeprom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v2"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	amorsizeprom "github.com/amorsize/amorsize/telemetry/prometheus"
)

// refused is an answer of a service that has no room.
type refused struct{}

func (refused) Error() string   { return "too many requests" }
func (refused) StatusCode() int { return 429 }

// load are runs that have all that the dashboard and the alerts are about: one behind a limiter, a
// breaker and retries, whose service refuses calls and is down for a while; one with a journal; one
// that fails; one that does not get on; and one with a listener that is too slow.
func load(ctx context.Context, t *testing.T, dir string) {
	var group sync.WaitGroup
	defer group.Wait()
	start := time.Now()
	group.Go(func() {
		limiter := ratelimit.MustNew(ratelimit.Policy{Name: "pages", RequestsPerSecond: 200, BurstSize: 1})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 8, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait})
		again := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, InitialDelay: 10 * time.Millisecond, MaxDelay: 100 * time.Millisecond})
		var calls struct {
			sync.Mutex
			n int
		}
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, i int) (int, error) {
			calls.Lock()
			calls.n++
			n := calls.n
			calls.Unlock()
			time.Sleep(20 * time.Millisecond)
			switch at := time.Since(start); {
			case at > 6*time.Second && at < 10*time.Second:
				return 0, errors.New("down")
			case n%3 == 0:
				return 0, refused{}
			}
			return i, ctx.Err()
		}, make([]int, 100_000), amorsize.WithName("crawl"), amorsize.WithPolicies(again, limiter, breaker))
	})
	group.Go(func() {
		j, err := journal.Open(filepath.Join(dir, "run.jsonl"), journal.Options{})
		if !assertNil(t, err) {
			return
		}
		defer func() { _ = j.Close() }()
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, i int) (int, error) {
			time.Sleep(5 * time.Millisecond)
			return i, ctx.Err()
		}, make([]int, 100_000), amorsize.WithName("kept"), amorsize.WithJournal(j), amorsize.WithWorkers(4))
	})
	group.Go(func() {
		for ctx.Err() == nil {
			_, _ = amorsize.Execute(func(int) (int, error) { return 0, errors.New("no") }, []int{1}, amorsize.WithName("fails"))
			time.Sleep(500 * time.Millisecond)
		}
	})
	group.Go(func() {
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, []int{1, 2, 3}, amorsize.WithName("stuck"))
	})
	group.Go(func() {
		slow := amorsize.ObserverFunc(func(amorsize.Event) { time.Sleep(20 * time.Millisecond) })
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, i int) (int, error) {
			time.Sleep(time.Millisecond)
			return i, ctx.Err()
		}, make([]int, 10_000_000), amorsize.WithName("watched closely"), amorsize.WithObserver(slow), amorsize.WithChunkSize(1), amorsize.WithWorkers(32))
	})
}

func assertNil(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// server is a Prometheus that scrapes target every half second. One that knows native histograms
// takes no classic ones.
func server(t *testing.T, target string, native bool) (query func(expr string) int) {
	program, err := exec.LookPath("prometheus")
	if os.Getenv("AMORSIZE_PROMETHEUS") == "" || err != nil {
		t.Skip("only with AMORSIZE_PROMETHEUS=1, and a program prometheus: scripts/prometheus.sh")
	}
	dir := t.TempDir()
	rules, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	config := fmt.Sprintf("global: { scrape_interval: 500ms, evaluation_interval: 1s }\nrule_files: [%q]\nscrape_configs:\n  - job_name: amorsize\n    scrape_timeout: 400ms\n    static_configs: [{ targets: [%q] }]\n", rules, target)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600))
	listen := freePort()
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=warn")
	if native {
		cmd.Args = append(cmd.Args, "--enable-feature=native-histograms")
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	return func(expr string) int {
		reply, err := http.Get("http://" + listen + "/api/v1/query_range?" + url.Values{
			"query": {expr}, "start": {fmt.Sprint(time.Now().Add(-time.Minute).Unix())}, "end": {fmt.Sprint(time.Now().Unix())}, "step": {"1"},
		}.Encode())
		if err != nil {
			return -1 // it is not up yet
		}
		defer func() { _ = reply.Body.Close() }()
		var answer struct {
			Status, Error string
			Data          struct {
				Result []struct {
					Values [][2]any
				}
			}
		}
		if reply.StatusCode == http.StatusServiceUnavailable {
			return -1
		}
		require.NoError(t, json.NewDecoder(reply.Body).Decode(&answer))
		require.Equal(t, "success", answer.Status, "%s: %s", expr, answer.Error)
		n := 0
		for _, series := range answer.Data.Result {
			for _, v := range series.Values {
				if v[1] != "NaN" {
					n++
				}
			}
		}
		return n
	}
}

func freePort() string {
	s := httptest.NewServer(nil)
	defer s.Close()
	return strings.TrimPrefix(s.URL, "http://")
}

// Every query of the dashboard and of the alerts has an answer of a real Prometheus that has
// scraped real runs: a panel without data fails, and so does an alert that could not fire.
func TestPrometheus(t *testing.T) {
	registry := prometheus.NewRegistry()
	stop, err := amorsizeprom.Watch(registry)
	require.NoError(t, err)
	defer stop()
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer metrics.Close()
	target := strings.TrimPrefix(metrics.URL, "http://")
	query, old := server(t, target, true), server(t, target, false)
	// The load goes through an outage once: servers that start slowly would miss it.
	require.Eventually(t, func() bool { return query("up") > 0 && old("up") > 0 }, time.Minute, 100*time.Millisecond, "they scrape")
	ctx, cancel := context.WithTimeout(t.Context(), 22*time.Second)
	defer cancel()
	load(ctx, t, t.TempDir())

	expand := strings.NewReplacer(`$run`, `.*`, `$__rate_interval`, `10s`, `$__range`, `1m`)
	for where, expr := range queries(t) {
		ask := query
		if strings.Contains(expr, "_bucket") {
			ask = old
		}
		n := ask(expand.Replace(expr))
		t.Logf("%4d points: %s: %s", n, where, strings.Join(strings.Fields(expr), " "))
		if n <= 0 {
			t.Errorf("%s has no data: %s", where, expr)
		}
	}
	for _, alert := range []string{"AmorsizeRunsFail", "AmorsizeBreakerOpen"} { // as the server itself has it, pending or firing
		require.Positive(t, query(`ALERTS{alertname="`+alert+`"}`), alert)
	}
}

// queries are those of the dashboard and of the alerts, by where they are.
func queries(t *testing.T) map[string]string {
	all := map[string]string{}
	raw, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &dashboard))
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all["panel "+p.Title+" "+target.RefID] = target.Expr
		}
	}
	raw, err = os.ReadFile("alerts.yml")
	require.NoError(t, err)
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert string
				Expr  string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &alerts))
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			all["alert "+r.Alert] = r.Expr
		}
	}
	require.Equal(t, 21+7, len(all), "queries of 15 panels, and of 7 alerts") //nolint:testifylint // the list is long
	return all
}

// The dashboard's queries are of metrics that there are.
func TestQueriesNameMetrics(t *testing.T) {
	described := make(chan *prometheus.Desc, 100)
	amorsizeprom.New().Describe(described)
	close(described)
	names := map[string]bool{}
	for d := range described {
		name := strings.SplitN(d.String(), `"`, 3)[1]
		names[name], names[name+"_bucket"] = true, true
	}
	for where, expr := range queries(t) {
		for _, word := range strings.FieldsFunc(expr, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			if strings.HasPrefix(word, "amorsize_") {
				require.True(t, names[word], "%s: %s", where, word)
			}
		}
	}
}
