package amorsizeotel

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/amorsize/amorsize"
)

// ErrInvalid is wrapped by errors about the settings of [Calls].
var ErrInvalid = errors.New("amorsizeotel: invalid")

// Traces makes a span of each run of the process that begins from now on, until stop is called:
// below the span of the run's context, if there is one.
func Traces(provider trace.TracerProvider) (stop func()) {
	tracer := provider.Tracer(scope)
	return amorsize.Watch(func(info amorsize.RunInfo) amorsize.Observer {
		ctx := info.Context
		if ctx == nil {
			ctx = context.Background()
		}
		_, r := begin(ctx, tracer, info)
		return r
	})
}

// Start begins the span of one run, and returns the context for it and an option:
//
//	ctx, option := amorsizeotel.Start(ctx, provider, "night crawl")
//	amorsize.ExecuteContext(ctx, fn, items, option, amorsize.WithName("night crawl"))
//
// Spans that the calls begin with their context are below that span. The span has links to others, such as the run
// that this one continues. It ends with the run: use the option for one run only.
func Start(ctx context.Context, provider trace.TracerProvider, name string, links ...trace.Link) (context.Context, amorsize.Option) {
	ctx, r := begin(ctx, provider.Tracer(scope), amorsize.RunInfo{Name: name}, links...)
	return ctx, amorsize.WithObserver(r)
}

// run is the observer of one run, whose span it has.
type run struct{ span trace.Span }

func begin(ctx context.Context, tracer trace.Tracer, info amorsize.RunInfo, links ...trace.Link) (context.Context, *run) {
	with := []attribute.KeyValue{runName.String(info.Title())}
	if info.Function != "" {
		with = append(with, attribute.String("code.function.name", info.Function))
	}
	ctx, span := tracer.Start(ctx, "amorsize run "+info.Title(), trace.WithAttributes(with...), trace.WithLinks(links...))
	return ctx, &run{span}
}

// NoChunks implements [amorsize.Coarse].
func (r *run) NoChunks() {}

// Observe implements [amorsize.Observer].
func (r *run) Observe(e amorsize.Event) {
	switch e.Kind {
	case amorsize.Planned:
		r.span.AddEvent("plan", trace.WithAttributes(
			attribute.String("amorsize.plan.mode", e.Plan.Mode.String()), attribute.Int("amorsize.plan.workers", e.Plan.Workers),
			attribute.String("amorsize.plan.reason", e.Plan.Reason)))
	case amorsize.LimitChanged:
		r.span.AddEvent("limit changed", trace.WithAttributes(
			attribute.Int("amorsize.call.limit", e.Change.Workers), attribute.String("amorsize.reason", e.Change.Reason)))
	case amorsize.PolicyChanged:
		r.span.AddEvent("policy changed", trace.WithAttributes(policyKind.String(e.Policy.Kind), policyName.String(e.Policy.Name),
			attribute.String("amorsize.policy.state", e.Policy.State)))
	case amorsize.Finished:
		r.end(e.Report)
	}
}

func (r *run) end(report *amorsize.Report) {
	r.span.SetAttributes(
		attribute.Int("amorsize.run.items", report.Items), attribute.Int("amorsize.run.succeeded", report.Succeeded),
		attribute.Int("amorsize.run.failed", report.Failed), attribute.Int("amorsize.run.known", report.Known),
		bound.String(string(report.Bound)), attribute.Int64("amorsize.call.retried", report.Calls.Retried))
	if report.Err != nil {
		record(r.span, report.Err)
	}
	r.span.End()
}

// record marks a span as failed.
func record(span trace.Span, err error) {
	span.RecordError(err)
	span.SetAttributes(errorType.String(fmt.Sprintf("%T", err)))
	span.SetStatus(codes.Error, err.Error())
}

// Calls is a policy that makes spans of calls: of one in Every, 1 for all, below the span of the call's context.
// As the innermost policy it makes a span of each attempt. Outside of a retrier, it makes one span of all attempts
// at an item, including their waits. The provider may sample as well. A call that is not sampled costs some 5 ns.
//
// The errors of failed calls are recorded: they are the function's, and may have items in them.
type Calls struct {
	tracer trace.Tracer
	every  int64
	n      atomic.Int64
}

// NewCalls returns a policy, or an error that is [ErrInvalid].
func NewCalls(provider trace.TracerProvider, every int) (*Calls, error) {
	if every < 1 {
		return nil, fmt.Errorf("%w: every = %d: must be at least 1", ErrInvalid, every)
	}
	return &Calls{tracer: provider.Tracer(scope), every: int64(every)}, nil
}

// Do implements [amorsize.Policy].
func (c *Calls) Do(ctx context.Context, call func(context.Context) error) error {
	if (c.n.Add(1)-1)%c.every != 0 {
		return call(ctx)
	}
	ctx, span := c.tracer.Start(ctx, "amorsize call")
	defer span.End() // also of a call that panics
	err := call(ctx)
	if err != nil {
		record(span, err)
	}
	return err
}
