package live_test

import (
	"fmt"
	"net/http"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/live"
)

func ExampleHandler() {
	http.Handle("/amorsize/", live.Handler())
	// go http.ListenAndServe("localhost:8080", nil)
	_, err := amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3}, amorsize.WithName("squares"))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleNew() {
	page, err := live.New(live.Options{Title: "the night's runs", MaxRuns: 50})
	if err != nil {
		panic(err)
	}
	stop := amorsize.Watch(page.Observer)
	defer stop()
	defer page.Close()
	_, err = amorsize.Execute(func(i int) (int, error) { return i * i, nil }, []int{1, 2, 3})
	fmt.Println(err)
	// Output: <nil>
}
