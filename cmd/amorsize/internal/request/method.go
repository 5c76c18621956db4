package request

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// methods are tokens of RFC 9110, 9.1: any service may have its own methods.
var methods = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// parseMethod reads --method. One that is the same for all items is checked at once.
func (s *Spec) parseMethod(scope template.Scope) (err error) {
	text := s.cfg.Method
	if text == "" {
		if text = http.MethodGet; s.body != nil {
			text = http.MethodPost
		}
	}
	if s.method, err = template.Parse(text, scope); err != nil {
		return exit.Usage(err)
	}
	if !s.method.Constant() {
		return nil
	}
	if _, err = s.methodOf(items.Item{}); err != nil {
		return exit.Usagef("--method %q: must be a method such as PUT", text)
	}
	return nil
}

// methodOf returns the method of an item's request.
func (s *Spec) methodOf(it items.Item) (string, error) {
	text, err := s.method.Expand(it, 0, nil)
	if err != nil {
		return "", err
	}
	if !methods.MatchString(text) {
		return "", fmt.Errorf("%w: %q is not a method", template.ErrTemplate, text)
	}
	return strings.ToUpper(text), nil
}

// unsentError is why the request of an item can't be made: a retry would fail again.
type unsentError struct{ error }

// Permanent tells retriers so.
func (unsentError) Permanent() bool { return true }

// Unwrap returns the cause.
func (e unsentError) Unwrap() error { return e.error }

var idempotent = map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true}

// seen adds to a failure whether the request may safely be repeated.
func (s *Spec) seen(j *jobs.Job, seen *policies.Seen) {
	l, err := s.lineOf(j.First())
	seen.Harmless = s.idKey != nil || s.cfg.RetryUnsafe || err == nil && idempotent[l.method] ||
		s.origin != nil && nothingDone[seen.Status]
}

// nothingDone are the statuses by which a model says that it did nothing for the request, so nothing is to be
// paid. For 502 and 504, which a gateway answers, that is not known.
var nothingDone = map[int]bool{408: true, 425: true, 429: true, 500: true, 503: true, 529: true}
