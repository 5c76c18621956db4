package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// sample says which mistakes are tried.
type sample struct {
	n       int // 0 is all
	seed    uint64
	workers int
	known   map[string]bool // not to be tried
	only    *regexp.Regexp  // of what String returns
}

// try makes mistakes in a package and runs its tests, or those of the packages that
// follow a "=".
func try(ctx context.Context, arg string, s sample) (tally, error) {
	name, others, other := strings.Cut(arg, "=")
	if !other {
		others = name
	}
	source, err := load(name)
	if err != nil {
		return tally{}, err
	}
	dir, err := os.MkdirTemp("", "amorsize-mutate-")
	if err != nil {
		return tally{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := source.overlay(dir)
	if err != nil {
		return tally{}, err
	}
	var suites []*suite
	for i, tests := range strings.Split(others, ",") {
		of, err := build(ctx, filepath.Join(dir, fmt.Sprint(i)), tests, overlay)
		if err != nil {
			return tally{}, err
		}
		if err := of.learn(ctx, s.workers, len(source.sites)+1); err != nil {
			return tally{}, err
		}
		suites = append(suites, of)
	}
	left := s.of(source.sites)
	q := &queue{most: s.n, left: left, tally: tally{name: name, sites: len(left)}}
	q.work(ctx, s.workers, suites)
	return q.tally, nil
}

// overlay writes the files with switches to dir, and tells for which they stand.
func (s *source) overlay(dir string) (map[string]string, error) {
	texts, err := s.switched()
	if err != nil {
		return nil, err
	}
	overlay := map[string]string{}
	for name, text := range texts {
		path := filepath.Join(dir, name)
		overlay[filepath.Join(s.Dir, name)] = path
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
	}
	return overlay, nil
}

// of returns the sites to be tried, in order.
func (s sample) of(sites []site) (tried []site) {
	for _, site := range sites {
		if site.id > 0 && !s.known[site.key()] && s.only.MatchString(site.String()) {
			tried = append(tried, site)
		}
	}
	random := rand.New(rand.NewPCG(s.seed, 0))
	random.Shuffle(len(tried), func(i, k int) { tried[i], tried[k] = tried[k], tried[i] })
	return tried
}

// queue hands out the mistakes until enough of them were tried.
type queue struct {
	most int // to be tried; 0 is all

	mu    sync.Mutex
	left  []site
	tally tally
}

func (q *queue) work(ctx context.Context, workers int, suites []*suite) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for m, ok := q.next(); ok && ctx.Err() == nil; m, ok = q.next() {
				by := notice(ctx, suites, m.id)
				if ctx.Err() == nil { // else it tells nothing
					q.count(m, by)
				}
			}
		})
	}
	group.Wait()
}

// notice tries a mistake on one suite after the other, and returns which one notices it, or -1.
func notice(ctx context.Context, suites []*suite, id int) (by int) {
	for i, s := range suites {
		if s.notices(ctx, id) {
			return i
		}
	}
	return -1
}

func (q *queue) next() (m site, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.most > 0 && q.tally.noticed+q.tally.missed >= q.most || len(q.left) == 0 {
		return site{}, false
	}
	m, q.left = q.left[0], q.left[1:]
	return m, true
}

// count counts a mistake that a suite has noticed, or none (-1).
func (q *queue) count(m site, by int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if by >= 0 {
		q.tally.noticed++
		q.tally.later += min(by, 1)
		return
	}
	q.tally.missed++
	q.tally.missing = append(q.tally.missing, m)
	fmt.Fprintln(os.Stderr, m)
}
