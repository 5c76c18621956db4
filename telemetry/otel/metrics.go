package amorsizeotel

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/runtotals"
)

// scope is the name of the instrumentation.
const scope = "github.com/amorsize/amorsize/telemetry/otel"

// Attributes of the metrics.
const (
	runName    = attribute.Key("amorsize.run.name")
	errorType  = attribute.Key("error.type")
	outcome    = attribute.Key("amorsize.outcome")
	policyKind = attribute.Key("amorsize.policy.kind")
	policyName = attribute.Key("amorsize.policy.name")
	bound      = attribute.Key("amorsize.bound")
)

// Producer makes metrics of runs. It implements [sdkmetric.Producer]: pass it to a reader with
// sdkmetric.WithProducer. It is safe for concurrent use.
type Producer struct {
	runs    runtotals.Runs
	began   time.Time
	unwatch atomic.Pointer[func()]
}

// New returns a producer without runs.
func New() *Producer { return &Producer{began: time.Now()} }

// Metrics returns a producer of all runs of the process that begin from now on, until Stop.
func Metrics() *Producer {
	p := New()
	stop := amorsize.Watch(p.Observer)
	p.unwatch.Store(&stop)
	return p
}

// Stop makes a producer of [Metrics] take no further runs.
func (p *Producer) Stop() {
	if stop := p.unwatch.Swap(nil); stop != nil {
		(*stop)()
	}
}

// Observer returns an observer for one run, through which the producer counts it.
func (p *Producer) Observer(info amorsize.RunInfo) amorsize.Observer { return p.runs.Observer(info) }

var _ sdkmetric.Producer = (*Producer)(nil)

// Produce implements [sdkmetric.Producer].
func (p *Producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	b := builder{began: p.began, now: time.Now()}
	b.add(p.runs.All())
	if len(b.metrics) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: b.metrics}}, nil
}
