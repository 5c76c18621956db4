package amorsizeotel_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	amorsizeotel "github.com/amorsize/amorsize/telemetry/otel"
)

// receiver takes what is sent by OTLP over HTTP, as a collector does.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	metrics map[string]*metrics.Metric // the latest of each name
	spans   []*traces.Span
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{metrics: map[string]*metrics.Metric{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var body io.Reader = request.Body
		if request.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(body)
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := r.take(request.URL.Path, raw); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(path string, raw []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch path {
	case "/v1/metrics":
		var m collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(raw, &m); err != nil {
			return err
		}
		for _, resource := range m.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, metric := range scope.Metrics {
					r.metrics[metric.Name] = metric
				}
			}
		}
	case "/v1/traces":
		var t collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &t); err != nil {
			return err
		}
		for _, resource := range t.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	default:
		return fmt.Errorf("nothing is at %s", path)
	}
	return nil
}

func text(all []*common.KeyValue, key string) string {
	for _, kv := range all {
		if kv.Key == key {
			return kv.Value.GetStringValue() + strings.TrimPrefix(fmt.Sprint(kv.Value.GetIntValue()), "0")
		}
	}
	return ""
}

// number returns the value of the data point whose attributes have these values.
func number(t *testing.T, points []*metrics.NumberDataPoint, values ...string) int64 {
	t.Helper()
	for _, p := range points {
		has := map[string]bool{}
		for _, kv := range p.Attributes {
			has[kv.Value.GetStringValue()] = true
		}
		all := len(p.Attributes) == len(values)
		for _, v := range values {
			all = all && has[v]
		}
		if all {
			return p.GetAsInt()
		}
	}
	t.Fatalf("there is no %v in %v", values, points)
	return 0
}

// A run behind a limiter, a breaker and retries, whose service is down for a moment, as a receiver
// of OTLP is told of it: metrics, a span of the run below that of the program, spans of calls, with
// their errors.
func TestOTLP(t *testing.T) {
	ctx := t.Context()
	r := newReceiver(t)
	endpoint := strings.TrimPrefix(r.URL, "http://")
	metricExporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(endpoint), otlpmetrichttp.WithInsecure())
	require.NoError(t, err)
	producer := amorsizeotel.Metrics()
	reader := sdkmetric.NewPeriodicReader(metricExporter, sdkmetric.WithProducer(producer))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	traceExporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(endpoint), otlptracehttp.WithInsecure())
	require.NoError(t, err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(traceExporter))
	require.NoError(t, meters.ForceFlush(ctx), "nothing has run")

	ctx, span := tracers.Tracer("program").Start(ctx, "nightly")
	earlier := trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})}
	runCtx, option := amorsizeotel.Start(ctx, tracers, "crawl", earlier)
	calls, err := amorsizeotel.NewCalls(tracers, 10)
	require.NoError(t, err)
	failed := 0
	limiter := ratelimit.MustNew(ratelimit.Policy{Name: "pages", RequestsPerSecond: 1000, BurstSize: 1})
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 3, OpenFor: 50 * time.Millisecond, WhenOpen: circuitbreaker.Wait})
	again := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, InitialDelay: time.Millisecond})
	_, err = amorsize.ExecuteContext(runCtx, func(_ context.Context, i int) (int, error) {
		if i == 100 && failed < 5 {
			failed++
			return 0, errors.New("down")
		}
		return i, nil
	}, sequence(300), amorsize.WithName("crawl"), amorsize.WithWorkers(1), option, amorsize.WithPolicies(again, limiter, breaker, calls))
	require.NoError(t, err)
	_, err = amorsize.Execute(func(int) (int, error) { return 0, errors.New("no") }, []int{1}, amorsize.WithName("fails"))
	require.Error(t, err)
	span.End()
	producer.Stop()
	producer.Stop()
	require.NoError(t, meters.Shutdown(context.Background()))
	require.NoError(t, tracers.Shutdown(context.Background()))

	checkMetrics(t, r.metrics)
	checkSpans(t, r.spans)
}

func checkMetrics(t *testing.T, m map[string]*metrics.Metric) {
	t.Helper()
	require.EqualValues(t, 1, number(t, m["amorsize.run.ended"].GetSum().DataPoints, "crawl", "ok"))
	require.EqualValues(t, 1, number(t, m["amorsize.run.ended"].GetSum().DataPoints, "fails", "failed"))
	require.EqualValues(t, 300, number(t, m["amorsize.item.ended"].GetSum().DataPoints, "crawl", "ok"))
	ended := m["amorsize.call.ended"].GetSum()
	require.True(t, ended.IsMonotonic)
	require.EqualValues(t, 300, number(t, ended.DataPoints, "crawl"))
	require.EqualValues(t, 5, number(t, ended.DataPoints, "crawl", "_OTHER"))
	require.EqualValues(t, 5, number(t, m["amorsize.call.retried"].GetSum().DataPoints, "crawl"))
	require.False(t, m["amorsize.call.in_flight"].GetSum().IsMonotonic, "an up-down counter")
	require.NotNil(t, m["amorsize.call.limit"].GetGauge())
	duration := m["amorsize.call.duration"]
	require.Equal(t, "s", duration.Unit)
	for _, p := range duration.GetExponentialHistogram().DataPoints {
		require.EqualValues(t, 3, p.Scale)
		sum := uint64(0)
		for _, n := range p.Positive.BucketCounts {
			sum += n
		}
		require.Equal(t, p.Count, sum)
	}
	waits := map[string]bool{}
	for _, p := range m["amorsize.policy.wait"].GetExponentialHistogram().DataPoints {
		waits[text(p.Attributes, "amorsize.policy.kind")+" "+text(p.Attributes, "amorsize.policy.name")] = true
	}
	require.Equal(t, map[string]bool{"ratelimit pages": true, "retry retry": true, "circuitbreaker search": true}, waits)
}

func checkSpans(t *testing.T, spans []*traces.Span) {
	t.Helper()
	var program, run *traces.Span
	var calls []*traces.Span
	for _, s := range spans {
		switch s.Name {
		case "nightly":
			program = s
		case "amorsize run crawl":
			run = s
		case "amorsize call":
			calls = append(calls, s)
		}
	}
	require.Equal(t, program.SpanId, run.ParentSpanId)
	require.Equal(t, byte(1), run.Links[0].TraceId[0])
	require.Equal(t, "300", text(run.Attributes, "amorsize.run.succeeded"))
	events := map[string]bool{}
	for _, e := range run.Events {
		events[e.Name+" "+text(e.Attributes, "amorsize.policy.state")] = true
	}
	require.True(t, events["plan "])
	require.True(t, events["policy changed open"])
	require.Len(t, calls, (305+9)/10)
	withErrors := 0
	for _, s := range calls {
		require.Equal(t, run.SpanId, s.ParentSpanId)
		if s.Status.GetCode() == traces.Status_STATUS_CODE_ERROR {
			withErrors++
			require.Equal(t, "*errors.errorString", text(s.Attributes, "error.type"))
			require.Equal(t, "exception", s.Events[0].Name)
		}
	}
	require.Equal(t, 1, withErrors, "of five in a row, one in ten")
}

func sequence(n int) (items []int) {
	for i := range n {
		items = append(items, i)
	}
	return items
}
