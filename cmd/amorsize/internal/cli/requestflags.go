package cli

import (
	"os"
	"strconv"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// parse reads the flags of the request.
func (r *requester) parse(scope template.Scope) (err error) {
	h := r.flags
	if err := r.parseBody(scope); err != nil {
		return err
	}
	if err := r.parseMethod(scope); err != nil {
		return err
	}
	if h.key != "" {
		t, err := template.Parse(h.key, scope)
		if err != nil {
			return exit.Usage(err)
		}
		r.key = &t
	}
	if err := r.parseHeaders(scope); err != nil {
		return err
	}
	if !oneOf(h.out, "body", "status", "jsonl") {
		return exit.Usagef("--out %q: want body, status or jsonl", h.out)
	}
	if r.mostBody, err = parseMost("max-body", h.mostBody); err != nil {
		return err
	}
	if h.conns < 0 {
		return exit.Usagef("--max-conns %d: want 1 or more", h.conns)
	}
	r.ok, err = parseStatuses(h.ok)
	return err
}

func (r *requester) parseBody(scope template.Scope) error {
	text := r.flags.body
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
	r.body = &t
	return nil
}

// parseHeaders reads what headers are sent, credentials among them.
func (r *requester) parseHeaders(scope template.Scope) (err error) {
	h := r.flags
	for _, line := range h.headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return exit.Usagef("--header-line %q: want \"Name: value\"", line)
		}
		if h.cookie != "" && strings.EqualFold(name, "Cookie") {
			return exit.Usagef("cookies are those of --cookie or of -H 'Cookie: …', not of both")
		}
		t, err := template.Parse(strings.TrimSpace(value), scope)
		if err != nil {
			return exit.Usage(err)
		}
		r.headers = append(r.headers, headerLine{name, t})
	}
	if h.bearer != "" {
		if r.bearer = os.Getenv(h.bearer); r.bearer == "" {
			return exit.Usagef("--bearer-env %s: the variable is not set", h.bearer)
		}
	}
	r.cookies, err = parseCookies(h.cookie)
	return err
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
			return nil, exit.Usagef("--ok %q: want statuses as 200-299,404", text)
		}
		list = append(list, [2]int{from, to})
	}
	return list, nil
}
