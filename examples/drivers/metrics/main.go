// Command metrics shows a run three ways: a bar on the terminal, metrics for Prometheus, and a report at its end.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/progress"
	amorsizeprom "github.com/amorsize/amorsize/telemetry/prometheus"
)

func lookUp(id int) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return id * id, nil
}

func run() error {
	// In a program of your own: prometheus.DefaultRegisterer, and http.Handle("/metrics", promhttp.Handler()).
	registry := prometheus.NewRegistry()
	stop, err := amorsizeprom.Watch(registry)
	if err != nil {
		return err
	}
	defer stop()
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer metrics.Close()

	ids := make([]int, 1000)
	for i := range ids {
		ids[i] = i
	}
	var report amorsize.Report
	_, err = amorsize.Execute(lookUp, ids,
		amorsize.WithName("look up"), // the label of the metrics
		amorsize.WithMaxWorkers(50),
		amorsize.WithProgress(progress.Bar(os.Stderr)),
		amorsize.WithReport(&report))
	if err != nil {
		return err
	}
	fmt.Print(report)

	scraped, err := http.Get(metrics.URL)
	if err != nil {
		return err
	}
	defer func() { _ = scraped.Body.Close() }()
	page, err := io.ReadAll(scraped.Body)
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "amorsize_items_total") {
			fmt.Print(line)
		}
	}
	return err
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
