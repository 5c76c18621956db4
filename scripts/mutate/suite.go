package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// suite is the tests of a package in a binary that has the switches.
type suite struct {
	binary string
	dir    string // where they run
	tests  []test // the quickest ones first
}

// test is a test, and what it did without a mistake.
type test struct {
	name string
	took time.Duration
	seen []byte // 1 for each switch that it came past
}

// build builds the tests of a package with the files of overlay in place of others; see
// go help build.
func build(ctx context.Context, at, tests string, overlay map[string]string) (*suite, error) {
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+".json", replace, 0o600); err != nil {
		return nil, err
	}
	s := &suite{binary: at + ".test"}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", s.binary, "-overlay", at+".json", tests).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	dir, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", tests).Output()
	if err != nil {
		return nil, err
	}
	s.dir = string(bytes.TrimSpace(dir))
	listed, err := s.command(ctx, "-test.list", ".").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tests of %s: %w", tests, err)
	}
	for name := range strings.FieldsSeq(string(listed)) {
		s.tests = append(s.tests, test{name: name})
	}
	return s, nil
}

// learn runs each test for itself and without a mistake. Those that take long are taken apart.
func (s *suite) learn(ctx context.Context, workers, switches int) error {
	whole := s.tests
	if err := s.learnEach(ctx, whole, workers, switches); err != nil {
		return err
	}
	var parts []test
	s.tests = nil
	for _, t := range whole {
		if of := s.parts(ctx, t); len(of) > 0 {
			parts = append(parts, of...)
		} else {
			s.tests = append(s.tests, t)
		}
	}
	if err := s.learnEach(ctx, parts, workers, switches); err != nil {
		return err
	}
	s.tests = append(s.tests, parts...)
	slices.SortFunc(s.tests, func(a, b test) int { return cmp.Compare(a.took, b.took) })
	if s.fails(ctx, 0, s.tests) {
		return errors.New("the tests fail without a mistake, if they run together")
	}
	return nil
}

func (s *suite) learnEach(ctx context.Context, tests []test, workers, switches int) error {
	var group sync.WaitGroup
	problems := make([]error, len(tests))
	free := make(chan struct{}, workers)
	for i := range tests {
		free <- struct{}{}
		group.Go(func() {
			problems[i] = tests[i].learn(ctx, s, switches)
			<-free
		})
	}
	group.Wait()
	return errors.Join(problems...)
}

func (t *test) learn(ctx context.Context, s *suite, switches int) error {
	seen := filepath.Join(filepath.Dir(s.binary), "seen-"+strings.ReplaceAll(t.name, "/", "-"))
	if err := os.WriteFile(seen, make([]byte, switches), 0o600); err != nil {
		return err
	}
	command := s.command(ctx, "-test.run", anyOf([]test{*t}))
	command.Env = append(command.Env, "MUTATE_SEEN="+seen)
	began := time.Now()
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s fails without a mistake: %w: %s", t.name, err, out)
	}
	t.took = time.Since(began)
	var err error
	t.seen, err = os.ReadFile(seen)
	return err
}

// long is a test that is worth being taken apart.
const long = 5 * time.Second

var plain = regexp.MustCompile(`^\w+$`)

// parts lists the subtests of a long test.
func (s *suite) parts(ctx context.Context, t test) (of []test) {
	if t.took < long {
		return nil
	}
	out, _ := s.command(ctx, "-test.v", "-test.run", anyOf([]test{t})).Output()
	for line := range strings.Lines(string(out)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "=== RUN   "+t.name+"/")
		switch {
		case !ok || strings.Contains(name, "/"):
		case !plain.MatchString(name): // it could not be asked for
			return nil
		default:
			of = append(of, test{name: t.name + "/" + name})
		}
	}
	return of
}

// notices says whether a test fails, or does not end in time, with a switch on. Those that came
// past it are asked, twelve at first: most mistakes are noticed at once.
func (s *suite) notices(ctx context.Context, id int) bool {
	var asked []test
	for _, t := range s.tests {
		if t.seen[id] == 1 {
			asked = append(asked, t)
		}
	}
	for most := 12; len(asked) > 0; most *= 4 {
		n := min(most, len(asked))
		if s.fails(ctx, id, asked[:n]) {
			return true
		}
		asked = asked[n:]
	}
	return false
}

func (s *suite) fails(ctx context.Context, id int, tests []test) bool {
	patience := 20 * time.Second
	for _, t := range tests {
		patience += 6 * t.took
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := s.command(ctx, "-test.failfast", "-test.run", anyOf(tests))
	command.Env = append(command.Env, fmt.Sprintf("MUTATE_SITE=%d", id))
	return command.Run() != nil
}

// command runs the binary so that a mistake can do no harm: it may take all memory there is,
// turn in a circle, signal processes that are not its own, leave files behind or, run by root,
// put one in the place of /dev/null (nothing can be put where something is mounted).
func (s *suite) command(ctx context.Context, args ...string) *exec.Cmd {
	script := []string{"-c", `ulimit -v 12000000; ulimit -t 300; exec "$@"`, "sh"}
	if path, err := exec.LookPath("unshare"); err == nil && os.Getuid() == 0 {
		script = append(script, path, "--pid", "--fork", "--kill-child", "--mount-proc",
			"sh", "-c", `mount --bind /dev/null /dev/null && exec "$@"`, "sh")
	}
	command := exec.CommandContext(ctx, "sh", slices.Concat(script, []string{s.binary}, args)...)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(s.binary))
	command.WaitDelay = time.Second
	return command
}

// anyOf is the pattern of tests, for -test.run: each level of a name has one of its own.
func anyOf(tests []test) string {
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = "^" + strings.ReplaceAll(t.name, "/", "$/^") + "$"
	}
	return strings.Join(names, "|")
}
