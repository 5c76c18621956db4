package amorsizeprom_test

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/amorsize/amorsize"
	amorsizeprom "github.com/amorsize/amorsize/telemetry/prometheus"
)

func ExampleWatch() {
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	stop, err := amorsizeprom.Watch(registry)
	if err != nil {
		panic(err)
	}
	defer stop()
	_, _ = amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3}, amorsize.WithName("squares"))
	families, err := registry.Gather()
	for _, f := range families {
		if f.GetName() == "amorsize_items_total" {
			fmt.Println(f.GetMetric()[1].GetCounter().GetValue(), "items are done", err)
		}
	}
	// Output: 3 items are done <nil>
}

func ExampleNew() {
	metrics := amorsizeprom.New()
	prometheus.NewRegistry().MustRegister(metrics)
	_, err := amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3},
		amorsize.WithObserver(metrics.Observer(amorsize.RunInfo{Name: "squares"})))
	fmt.Println(err)
	// Output: <nil>
}
