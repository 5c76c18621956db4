package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// sites starts three sites of 13, 40 and 20 pages, each of which links to up to three others and to itself.
func sites() (seeds []string, stop func()) {
	stop = func() {}
	for _, size := range []int{13, 40, 20} {
		site := httptest.NewServer(pages(size))
		before := stop
		stop = func() { site.Close(); before() }
		seeds = append(seeds, site.URL+"/0")
	}
	return seeds, stop
}

func pages(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || n >= size {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `<a href="/%d">here</a>`, n)
		for _, next := range []int{3*n + 1, 3*n + 2, 3*n + 3} {
			if next < size {
				_, _ = fmt.Fprintf(w, ` <a href="%d#top">page %d</a>`, next, next)
			}
		}
	}
}
