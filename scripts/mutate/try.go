package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// sample says which mistakes are tried.
type sample struct {
	n       int
	seed    uint64
	workers int
	known   map[string]bool // not to be tried
}

// try makes mistakes in a package and runs its tests, or those of the packages that
// follow a "=".
func try(ctx context.Context, arg string, s sample) (tally, error) {
	name, others, other := strings.Cut(arg, "=")
	tests := strings.Split(others, ",")
	if !other {
		tests = []string{name}
	}
	mutants, err := mutantsIn(name, s)
	if err != nil {
		return tally{}, err
	}
	dir, err := os.MkdirTemp("", "amorsize-mutate-")
	if err != nil {
		return tally{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	suites := make([]suite, len(tests))
	for i, of := range tests {
		began := time.Now()
		if _, err := run(ctx, filepath.Join(dir, "true"), suite{of, 10 * time.Minute}, nil); err != nil {
			return tally{}, fmt.Errorf("%s: the tests fail without a mistake: %w", of, err)
		}
		suites[i] = suite{of, 3*time.Since(began) + 10*time.Second}
	}

	q := &queue{most: s.n, left: mutants, tally: tally{name: name, sites: len(mutants)}}
	var group sync.WaitGroup
	for worker := range s.workers {
		at := filepath.Join(dir, fmt.Sprint(worker))
		group.Go(func() {
			for m, ok := q.next(); ok && ctx.Err() == nil; m, ok = q.next() {
				by, err := notice(ctx, at, suites, &m)
				if ctx.Err() == nil && err == nil { // else it tells nothing
					q.count(m, by)
				}
			}
		})
	}
	group.Wait()
	return q.tally, nil
}

// suite is the tests of a package, and how long they may take.
type suite struct {
	tests    string
	patience time.Duration
}

// notice tries a mistake on one suite after the other, and returns which one notices it, or -1.
func notice(ctx context.Context, at string, suites []suite, m *mutant) (by int, err error) {
	for i, s := range suites {
		noticed, err := run(ctx, at, s, m)
		if err != nil {
			return -1, err
		}
		if noticed {
			return i, nil
		}
	}
	return -1, nil
}

// queue hands out the mistakes until enough of them were tried.
type queue struct {
	most int // to be tried

	mu    sync.Mutex
	left  []mutant
	tally tally
}

func (q *queue) next() (m mutant, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tally.noticed+q.tally.missed >= q.most || len(q.left) == 0 {
		return mutant{}, false
	}
	m, q.left = q.left[0], q.left[1:]
	return m, true
}

// count counts a mistake that a suite has noticed, or none (-1).
func (q *queue) count(m mutant, by int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if by >= 0 {
		q.tally.noticed++
		q.tally.later += min(by, 1)
		return
	}
	q.tally.missed++
	q.tally.missing = append(q.tally.missing, m)
	fmt.Fprintf(os.Stderr, "%s:%d: %s\n", m.file, m.line, m.what)
}

// mutantsIn lists the mistakes of a package in the order in which they are tried.
func mutantsIn(name string, s sample) (mutants []mutant, err error) {
	out, err := exec.Command("go", "list", "-json=Dir,GoFiles", name).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", name, err)
	}
	var pkg struct {
		Dir     string
		GoFiles []string
	}
	if err := json.Unmarshal(out, &pkg); err != nil {
		return nil, err
	}
	for _, file := range pkg.GoFiles {
		of, err := mutantsOf(filepath.Join(pkg.Dir, file), filepath.Join(name, file))
		if err != nil {
			return nil, err
		}
		for _, m := range of {
			if !s.known[m.key()] {
				mutants = append(mutants, m)
			}
		}
	}
	random := rand.New(rand.NewPCG(s.seed, 0))
	random.Shuffle(len(mutants), func(i, k int) { mutants[i], mutants[k] = mutants[k], mutants[i] })
	return mutants, nil
}

var errBuild = errors.New("it does not compile")

// run runs the tests of a package with a mistake, or without one. noticed says that they
// failed or did not end in time; the error is why they could not be run.
func run(ctx context.Context, at string, s suite, m *mutant) (noticed bool, err error) {
	binary := at + ".test"
	build := []string{"test", "-c", "-vet=off", "-o", binary}
	if m != nil {
		overlay, err := writeOverlay(at, m)
		if err != nil {
			return false, err
		}
		build = append(build, "-overlay", overlay)
	}
	if out, err := exec.CommandContext(ctx, "go", append(build, s.tests)...).CombinedOutput(); err != nil {
		return false, fmt.Errorf("%w: %w: %s", errBuild, err, out)
	}
	dir, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", s.tests).Output()
	if err != nil {
		return false, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	// A mistake may take all memory there is, or signal processes that are not its own.
	script := `ulimit -v 12000000; exec "$@"`
	args := []string{"-c", script, "sh", binary, "-test.failfast"}
	if path, err := exec.LookPath("unshare"); err == nil && os.Getuid() == 0 {
		args = []string{"-c", script, "sh", path, "--pid", "--fork", "--kill-child", "--mount-proc", binary, "-test.failfast"}
	}
	test := exec.CommandContext(bounded, "sh", args...)
	test.Dir = string(bytes.TrimSpace(dir))
	test.WaitDelay = time.Second
	out, err := test.CombinedOutput()
	if m == nil && err != nil {
		return true, fmt.Errorf("%w: %s", err, out)
	}
	return err != nil, nil
}

// writeOverlay has the compiler take the file with the mistake; see go help build.
func writeOverlay(at string, m *mutant) (path string, err error) {
	src, err := m.source()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(at+".go", src, 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{m.path: at + ".go"}})
	if err != nil {
		return "", err
	}
	return at + ".json", os.WriteFile(at+".json", overlay, 0o600)
}
