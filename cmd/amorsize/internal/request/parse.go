package request

import (
	"os"
	"strconv"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// parse reads what is sent and which statuses are a success.
func (s *Spec) parse(scope template.Scope) (err error) {
	if err := s.parseBody(scope); err != nil {
		return err
	}
	if err := s.parseMethod(scope); err != nil {
		return err
	}
	if s.cfg.IdempotencyKey != "" {
		t, err := template.Parse(s.cfg.IdempotencyKey, scope)
		if err != nil {
			return exit.Usage(err)
		}
		s.idKey = &t
	}
	if err := s.parseHeaders(scope); err != nil {
		return err
	}
	if err := s.parseForm(); err != nil {
		return err
	}
	if err := s.parseKey(scope); err != nil {
		return err
	}
	if n := s.cfg.Connection.Max; n < 0 {
		return exit.Usagef("--max-conns %d: must be at least 1", n)
	}
	s.ok, err = parseStatuses(s.cfg.OK)
	return err
}

func (s *Spec) parseBody(scope template.Scope) error {
	text := s.cfg.Body
	if text == "" {
		return nil
	}
	if name, file := strings.CutPrefix(text, "@"); file {
		raw, err := os.ReadFile(name)
		if err != nil {
			return exit.Usagef("--body: %w", err)
		}
		text = string(raw)
	}
	scope.Strict = false // JSON has braces of its own
	t, err := template.Parse(text, scope)
	if err != nil {
		return exit.Usage(err)
	}
	s.body = &t
	return nil
}

// parseHeaders reads the headers to send, credentials among them.
func (s *Spec) parseHeaders(scope template.Scope) (err error) {
	for _, line := range s.cfg.Headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return exit.Usagef("--header-line %q: must be \"Name: value\"", line)
		}
		if s.cfg.Cookies != "" && strings.EqualFold(name, "Cookie") {
			return exit.Usagef("set cookies with --cookie or with -H 'Cookie: …', not with both")
		}
		t, err := template.Parse(strings.TrimSpace(value), scope)
		if err != nil {
			return exit.Usage(err)
		}
		s.headers = append(s.headers, headerLine{name, t})
	}
	if s.cfg.BearerEnv != "" {
		if s.bearer = os.Getenv(s.cfg.BearerEnv); s.bearer == "" {
			return exit.Usagef("--bearer-env %s: the variable is not set", s.cfg.BearerEnv)
		}
	}
	s.cookies, err = parseCookies(s.cfg.Cookies)
	return err
}

// parseForm checks the form of results, and related settings.
func (s *Spec) parseForm() error {
	if s.origin == nil {
		if f := s.cfg.Form; f != Body && f != Status && f != JSONL {
			return exit.Usagef("--out %q: must be body, status or jsonl", f)
		}
		return nil
	}
	if s.body != nil || s.cfg.Method != "" {
		return exit.Usagef("--batch-file has the method and the body in its lines: it can't be combined with --method or --body")
	}
	if f := s.cfg.Form; f == Body {
		s.cfg.Form = Batch
	} else if f != Status && f != JSONL {
		return exit.Usagef("--out %q: must be status or jsonl; without it, results have the form of the file", f)
	}
	return nil
}

// parseKey reads --key.
func (s *Spec) parseKey(scope template.Scope) error {
	if s.cfg.Key == "" || s.cfg.Key == "{host}" {
		return nil
	}
	t, err := template.Parse(s.cfg.Key, scope)
	if err != nil {
		return exit.Usage(err)
	}
	s.keyOf = &t
	return nil
}

func parseStatuses(text string) (list [][2]int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, both := strings.Cut(strings.TrimSpace(part), "-")
		if !both {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 100 || to > 599 || from > to {
			return nil, exit.Usagef("--ok %q: must be statuses such as 200-299,404", text)
		}
		list = append(list, [2]int{from, to})
	}
	return list, nil
}
