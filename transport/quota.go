package transport

import (
	"net/http"
	"strings"
	"time"
)

// told is what a response says about the limits of its host.
type told struct {
	requests quota
	tokens   quota // of a model, read or written
	nonsense int   // unusable fields: negative, too large, not a number
}

// quota is what is left of a limit; of several limits, of the one with least left.
type quota struct {
	known bool
	left  float64
	reset time.Duration // until there is more; 0 if not given: then nothing is waited for
}

// none reports whether nothing is left.
func (q quota) none() bool { return q.known && q.left < 1 }

// tighten takes over another quota if that has less left; of two that are used up, the one
// with the later reset.
func (q *quota) tighten(other quota) {
	if other.known && (!q.known || other.left < q.left || other.left == q.left && other.reset > q.reset) {
		*q = other
	}
}

// comesBack returns the time until a used-up quota is reset; 0 if none is used up, or the time
// isn't given.
func (t *told) comesBack() (after time.Duration) {
	for _, q := range []quota{t.requests, t.tokens} {
		if q.none() {
			after = max(after, q.reset)
		}
	}
	return after
}

// listen reads the limits in a response, in all known dialects. A host often uses several of
// them at once.
func listen(h http.Header) told {
	var t told
	t.structured(h)
	for _, d := range dialects {
		t.fields(h, d)
	}
	t.shopify(h)
	return t
}

// dialect is a pair of fields: how many are left, and when there are more.
type dialect struct {
	remaining string
	resets    []string // names of the other field; the first one present counts
	tokens    bool
}

// dialects are the fields in which hosts send what is left. Names are in the canonical form of
// http.Header.
var dialects = []dialect{
	// draft-ietf-httpapi-ratelimit-headers-00 to -02.
	{remaining: "Ratelimit-Remaining", resets: []string{"Ratelimit-Reset"}},
	// GitHub, Discord (Reset-After), Reddit (floats) and most others.
	{remaining: "X-Ratelimit-Remaining", resets: []string{"X-Ratelimit-Reset-After", "X-Ratelimit-Reset"}},
	// X (Twitter), Okta.
	{remaining: "X-Rate-Limit-Remaining", resets: []string{"X-Rate-Limit-Reset-After", "X-Rate-Limit-Reset"}},
	// OpenAI, Groq, Mistral: "6m0s" (platform.openai.com/docs/guides/rate-limits).
	{remaining: "X-Ratelimit-Remaining-Requests", resets: []string{"X-Ratelimit-Reset-Requests"}},
	{remaining: "X-Ratelimit-Remaining-Tokens", resets: []string{"X-Ratelimit-Reset-Tokens"}, tokens: true},
	// RapidAPI: seconds from now.
	{remaining: "X-Ratelimit-Requests-Remaining", resets: []string{"X-Ratelimit-Requests-Reset"}},
	// Anthropic: RFC 3339 (docs.anthropic.com/en/api/rate-limits).
	{remaining: "Anthropic-Ratelimit-Requests-Remaining", resets: []string{"Anthropic-Ratelimit-Requests-Reset"}},
	{remaining: "Anthropic-Ratelimit-Tokens-Remaining", resets: []string{"Anthropic-Ratelimit-Tokens-Reset"}, tokens: true},
	{remaining: "Anthropic-Ratelimit-Input-Tokens-Remaining", resets: []string{"Anthropic-Ratelimit-Input-Tokens-Reset"}, tokens: true},
	{remaining: "Anthropic-Ratelimit-Output-Tokens-Remaining", resets: []string{"Anthropic-Ratelimit-Output-Tokens-Reset"}, tokens: true},
}

// fields reads the fields of a dialect.
func (t *told) fields(h http.Header, d dialect) {
	values := h[d.remaining]
	if len(values) == 0 {
		return
	}
	left, ok := number(values[0], largest)
	if !ok {
		t.nonsense++
		return
	}
	q := quota{known: true, left: left}
	for _, name := range d.resets {
		if values := h[name]; len(values) > 0 {
			if q.reset, ok = reset(h, values[0]); ok {
				break
			}
			t.nonsense++
			q.reset = 0
		}
	}
	t.add(q, d.tokens)
}

func (t *told) add(q quota, tokens bool) {
	if tokens {
		t.tokens.tighten(q)
	} else {
		t.requests.tighten(q)
	}
}

// shopify reads a leaky bucket: its level and its size, "40/40". It empties in 20 seconds (40
// calls at 2 per second), so there is room for one more after a fraction of that
// (shopify.dev/docs/api/usage/rate-limits).
func (t *told) shopify(h http.Header) {
	values := h["X-Shopify-Shop-Api-Call-Limit"]
	if len(values) == 0 {
		return
	}
	used, size, _ := strings.Cut(values[0], "/")
	u, known := number(used, largest)
	s, ok := number(size, largest)
	if !known || !ok {
		t.nonsense++
		return
	}
	t.add(quota{known: true, left: max(0, s-u), reset: time.Duration(20e9 / max(1, s))}, false)
}

// structured reads the RateLimit field of draft-ietf-httpapi-ratelimit-headers: from -07 on a
// list of quotas, each with r, what is left of it, and t, the seconds until there is more:
// "burst";r=5;t=1, "day";r=100;t=3600. From -03 to -06 it is a single one: limit=100,
// remaining=0, reset=30. RateLimit-Policy may say that a quota counts something other than
// requests (qu, from -09 on).
func (t *told) structured(h http.Header) {
	values := h["Ratelimit"]
	if len(values) == 0 {
		return
	}
	field, separator := strings.Join(values, ","), ","
	if !strings.Contains(field, ";") {
		field, separator = strings.ReplaceAll(field, ",", ";"), "\x00"
	}
	units := unitsOf(h)
	for item := range strings.SplitSeq(field, separator) {
		name, q, nonsense := quotaOf(item)
		t.nonsense += nonsense
		if unit := units[name]; unit == "" || unit == "requests" {
			t.add(q, false)
		}
	}
}

// quotaOf reads one item of the list, and counts its unreadable parts.
func quotaOf(item string) (name string, q quota, nonsense int) {
	for parameter := range strings.SplitSeq(item, ";") {
		key, value, given := strings.Cut(strings.TrimSpace(parameter), "=")
		switch {
		case !given && name == "":
			name = key
		case key == "r" || key == "remaining":
			if q.left, q.known = number(value, largest); !q.known {
				nonsense++
			}
		case key == "t" || key == "reset":
			if s, ok := number(value, longest.Seconds()); ok {
				q.reset = time.Duration(s * 1e9)
			} else {
				nonsense++
			}
		}
	}
	return name, q, nonsense
}

// unitsOf returns the units of the quotas that RateLimit-Policy names, where they are given:
// "bytes";q=1000;qu="content-bytes".
func unitsOf(h http.Header) map[string]string {
	var units map[string]string
	for _, field := range h["Ratelimit-Policy"] {
		for policy := range strings.SplitSeq(field, ",") {
			name, parameters, _ := strings.Cut(policy, ";")
			for parameter := range strings.SplitSeq(parameters, ";") {
				if unit, ok := strings.CutPrefix(strings.TrimSpace(parameter), "qu="); ok {
					if units == nil {
						units = map[string]string{}
					}
					units[strings.TrimSpace(name)] = strings.Trim(unit, `"`)
				}
			}
		}
	}
	return units
}
