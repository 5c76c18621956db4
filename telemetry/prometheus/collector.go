package amorsizeprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/runtotals"
)

// Collector exports runs. Register it with a registry. It is safe for concurrent use.
type Collector struct{ runs runtotals.Runs }

// New returns a collector without runs.
func New() *Collector { return new(Collector) }

// Watch registers a collector of all runs of the process that begin from now on, until stop is
// called, which also unregisters it. The error is the registry's.
func Watch(registry prometheus.Registerer) (stop func(), err error) {
	c := New()
	if err := registry.Register(c); err != nil {
		return nil, err
	}
	unwatch := amorsize.Watch(c.Observer)
	return func() {
		unwatch()
		registry.Unregister(c)
	}, nil
}

// Observer returns an observer for one run, through which it is exported:
// amorsize.WithObserver(collector.Observer(amorsize.RunInfo{Name: "crawl"})).
func (c *Collector) Observer(info amorsize.RunInfo) amorsize.Observer { return c.runs.Observer(info) }

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range all {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, total := range c.runs.All() {
		s := scrape{to: to, run: total.Title}
		s.counters(&total)
		s.gauges(&total)
		s.histograms(&total)
	}
}
