package policies

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// ErrFlag is wrapped by every error about a flag's value.
var ErrFlag = errors.New("invalid flag")

// Seen is the information to judge a failure by.
type Seen struct {
	Err    error
	Status int // of HTTP, 0 otherwise
	// Harmless says that repeating the call does no harm, for Set.Again.
	Harmless bool
	Out      func() []byte
	Stderr   func() []byte
}

// Spec is a list of conditions on failures, any of which is enough: exit:22,
// exit:100-120, status:500-599, signal, timeout, spawn, any, out:/re/, err:/re/.
type Spec struct {
	conditions []func(Seen) bool
	text       string
}

// String returns the spec as it was written.
func (s Spec) String() string { return s.text }

// Empty reports whether there is no condition.
func (s Spec) Empty() bool { return len(s.conditions) == 0 }

// Matches reports whether one of the conditions holds.
func (s Spec) Matches(seen Seen) bool {
	for _, holds := range s.conditions {
		if holds(seen) {
			return true
		}
	}
	return false
}

const grammar = "a comma-separated list of exit:22, exit:100-120, status:429, signal, timeout, spawn, any, out:/regexp/, err:/regexp/"

// ParseSpec reads a spec; flag names its flag.
func ParseSpec(flag, text string) (Spec, error) {
	spec := Spec{text: text}
	for rest := text; rest != ""; {
		var condition string
		if condition, rest = cutCondition(rest); condition == "" {
			continue
		}
		holds, err := parseCondition(condition)
		if err != nil {
			return spec, fmt.Errorf("%w: --%s %q: %w; write %s", ErrFlag, flag, text, err, grammar)
		}
		spec.conditions = append(spec.conditions, holds)
	}
	return spec, nil
}

// cutCondition removes the first condition; a comma within slashes belongs to it.
func cutCondition(text string) (condition, rest string) {
	within := false
	for i := range len(text) {
		switch {
		case text[i] == '/' && (i == 0 || text[i-1] != '\\'):
			within = !within
		case text[i] == ',' && !within:
			return strings.TrimSpace(text[:i]), text[i+1:]
		}
	}
	return strings.TrimSpace(text), ""
}

// parseCondition reads one condition.
func parseCondition(text string) (func(Seen) bool, error) {
	name, value, _ := strings.Cut(text, ":")
	switch name {
	case "any":
		return func(Seen) bool { return true }, nil
	case "signal":
		return signaled, nil
	case "timeout":
		return timedOut, nil
	case "spawn":
		return notSpawned, nil
	case "exit":
		from, to, err := parseSpan(value)
		return exited(from, to), err
	case "status":
		from, to, err := parseSpan(value)
		return func(s Seen) bool { return s.Status >= from && s.Status <= to }, err
	case "out":
		re, err := parseRegexp(value)
		return func(s Seen) bool { return s.Out != nil && re.Match(s.Out()) }, err
	case "err":
		re, err := parseRegexp(value)
		return func(s Seen) bool { return s.Stderr != nil && re.Match(s.Stderr()) }, err
	}
	return nil, fmt.Errorf("%q is not a condition", text)
}

func signaled(s Seen) bool {
	var e *process.ExitError
	return errors.As(s.Err, &e) && e.Signal != ""
}

func timedOut(s Seen) bool {
	var e interface{ Timeout() bool }
	return errors.As(s.Err, &e) && e.Timeout()
}

func notSpawned(s Seen) bool {
	var e *process.SpawnError
	return errors.As(s.Err, &e)
}

func exited(from, to int) func(Seen) bool {
	return func(s Seen) bool {
		var e *process.ExitError
		return errors.As(s.Err, &e) && e.Signal == "" && e.Code >= from && e.Code <= to
	}
}

func parseSpan(text string) (from, to int, err error) {
	first, last, both := strings.Cut(text, "-")
	if !both {
		last = first
	}
	from, err = strconv.Atoi(first)
	if err == nil {
		to, err = strconv.Atoi(last)
	}
	if err != nil || from > to || from < 0 {
		return 0, 0, fmt.Errorf("%q is not a number or a range of numbers", text)
	}
	return from, to, nil
}

// parseRegexp reads /re/ and /re/i.
func parseRegexp(text string) (*regexp.Regexp, error) {
	end := strings.LastIndexByte(text, '/')
	if !strings.HasPrefix(text, "/") || end < 1 {
		return nil, fmt.Errorf("%q is not a regular expression between slashes", text)
	}
	pattern := text[1:end]
	switch text[end+1:] {
	case "":
	case "i":
		pattern = "(?i)" + pattern
	default:
		return nil, fmt.Errorf("unknown option %q of a regular expression; only i is known", text[end+1:])
	}
	return regexp.Compile(pattern)
}

// RetryAfter finds in the output of a failed command how long to wait: a number
// of seconds, the first group of a regular expression.
type RetryAfter struct {
	re     *regexp.Regexp
	stderr bool
}

// ParseRetryAfter reads out:/re/ or err:/re/ with one group.
func ParseRetryAfter(text string) (*RetryAfter, error) {
	if text == "" {
		return nil, nil
	}
	name, value, _ := strings.Cut(text, ":")
	re, err := parseRegexp(value)
	if err == nil && (name != "out" && name != "err" || re.NumSubexp() < 1) {
		err = errors.New("it needs a capture group for the seconds")
	}
	if err != nil {
		return nil, fmt.Errorf(`%w: --retry-after %q: %w; write err:/retry-after: (\d+)/i`, ErrFlag, text, err)
	}
	return &RetryAfter{re, name == "err"}, nil
}

// Find returns the time asked for, 0 if there is none.
func (r *RetryAfter) Find(seen Seen) (after time.Duration, found bool) {
	if r == nil {
		return 0, false
	}
	read := seen.Out
	if r.stderr {
		read = seen.Stderr
	}
	if read == nil {
		return 0, false
	}
	match := r.re.FindSubmatch(read())
	if match == nil {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil || seconds < 0 || seconds > 1e6 {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
