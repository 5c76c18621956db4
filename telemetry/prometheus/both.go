package amorsizeprom

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// both is a histogram with native and with classic buckets, as a server may support only one of them.
type both struct{ native, classic prometheus.Metric }

// Desc implements [prometheus.Metric].
func (b both) Desc() *prometheus.Desc { return b.native.Desc() }

// Write implements [prometheus.Metric].
func (b both) Write(to *dto.Metric) error {
	var classic dto.Metric
	if err := b.classic.Write(&classic); err != nil {
		return err
	}
	if err := b.native.Write(to); err != nil {
		return err
	}
	to.Histogram.Bucket = classic.Histogram.Bucket
	to.Histogram.CreatedTimestamp = nil // many runs together have none
	return nil
}
