package amorsizeprom

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// both is a histogram with native buckets and with classic ones, as a server may know either.
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
	to.Histogram.CreatedTimestamp = nil // of many runs there is none
	return nil
}
