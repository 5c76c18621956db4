// Package amorsizeprom exports what runs do to Prometheus:
//
//	stop, err := amorsizeprom.Watch(prometheus.DefaultRegisterer)
//
// It adds the metrics of all runs of the process that begin from then on to what the registry serves. [New] is a
// collector for some runs only.
//
// The metrics have the label run: the run's name (amorsize.WithName) or that of its function; after 100 names,
// others are counted as "other". Durations are in seconds. Histograms are native, of schema 3 (buckets 9 % wide),
// with classic buckets for servers that know no native ones. Nothing is counted in the path of a call: a scrape
// computes the metrics from what runs report anyway, which is at most a tenth of a second old.
//
// The file dashboard.json is a dashboard for Grafana of these metrics, and alerts.yml has alert
// rules; both are tested against a Prometheus that has scraped real runs.
package amorsizeprom
