package amorsizeotel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/amorsize/amorsize"
	amorsizeotel "github.com/amorsize/amorsize/telemetry/otel"
)

// Each run of the process has a span, also one that fails, until that is stopped.
func TestTraces(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	stop := amorsizeotel.Traces(provider)
	ctx, parent := provider.Tracer("t").Start(t.Context(), "parent")
	fails := func(context.Context, int) (int, error) { return 0, errors.New("no") }
	_, err := amorsize.ExecuteContext(ctx, fails, []int{1}, amorsize.WithName("fails"))
	require.Error(t, err)
	for range amorsize.Stream(t.Context(), fails, seq(3)) {
	}
	stop()
	_, err = amorsize.ExecuteContext(ctx, fails, []int{1})
	require.Error(t, err)
	parent.End()
	spans := recorder.Ended()
	require.Len(t, spans, 3)
	require.Equal(t, "amorsize run fails", spans[0].Name())
	require.Equal(t, parent.SpanContext().SpanID(), spans[0].Parent().SpanID())
	require.Equal(t, "Error", spans[0].Status().Code.String())
	require.Contains(t, spans[1].Name(), "TestTraces")
	require.False(t, spans[1].Parent().IsValid())
}

// A call that panics ends its span; one that is not sampled has none.
func TestCalls(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	calls, err := amorsizeotel.NewCalls(provider, 3)
	require.NoError(t, err)
	require.Panics(t, func() {
		_ = calls.Do(t.Context(), func(context.Context) error { panic("boom") })
	})
	for range 5 {
		require.NoError(t, calls.Do(t.Context(), func(context.Context) error { return nil }))
	}
	require.Len(t, recorder.Ended(), 2)
	_, err = amorsizeotel.NewCalls(provider, 0)
	require.EqualError(t, err, "amorsizeotel: invalid: every = 0: must be at least 1")
	require.ErrorIs(t, err, amorsizeotel.ErrInvalid)
}

func seq(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func ExampleMetrics() {
	producer := amorsizeotel.Metrics()
	defer producer.Stop()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(producer)) // or a periodic one, with an exporter
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	_, _ = amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3}, amorsize.WithName("squares"))
	var read metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &read); err != nil {
		panic(err)
	}
	fmt.Println(read.ScopeMetrics[0].Metrics[0].Name)
	_ = provider.Shutdown(context.Background())
	// Output: amorsize.run.ended
}

func ExampleStart() {
	provider := sdktrace.NewTracerProvider() // with an exporter
	calls, err := amorsizeotel.NewCalls(provider, 100)
	if err != nil {
		panic(err)
	}
	ctx, span := amorsizeotel.Start(context.Background(), provider, "squares")
	_, err = amorsize.ExecuteContext(ctx, func(_ context.Context, i int) (int, error) { return i * i, nil }, []int{1, 2, 3},
		span, amorsize.WithName("squares"), amorsize.WithPolicies(calls))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleTraces() {
	provider := sdktrace.NewTracerProvider() // with an exporter
	stop := amorsizeotel.Traces(provider)
	defer stop()
	_, err := amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3})
	fmt.Println(err)
	// Output: <nil>
}
