// Package modelservice is a service of language models as they are sold, for tests and
// examples: it answers the requests of the chat API of OpenAI and of the messages API of
// Anthropic with made-up text, whole or as server-sent events, counts requests and tokens
// per minute, tells its limits in headers, refuses who asks for more, is overloaded or
// stalls now and then, and keeps account of what it has answered.
//
// What a prompt costs follows from its text alone, so that a test can foresee it. The
// headers and errors have the form that the providers document.
package modelservice

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config is what a service is like. The zero value answers at once and has no limits.
type Config struct {
	RequestsPerMinute float64 // 0 is no limit
	TokensPerMinute   float64 // of prompts and answers together; 0 is no limit
	// Burst is for how long limits may be saved up; 0 is a second, as if the limit of a minute
	// held for each second.
	Burst time.Duration

	Latency  time.Duration // of the first token
	PerToken time.Duration // of each one of the answer

	Overloaded float64       // the share of requests refused with 529, or 503
	Stalled    float64       // the share of those answered that take longer, by
	Stall      time.Duration // so much
	// Unannounced has refusals tell no time to come back, and no headers with limits be sent.
	Unannounced bool
}

// Service is an http.Handler. It is safe for concurrent use.
type Service struct {
	cfg Config
	mux *http.ServeMux

	mu       sync.Mutex
	requests bucket
	tokens   bucket
	calls    uint64 // that have been made, refused or not
	account  Account
}

// Account is what a service has done.
type Account struct {
	Calls      int            `json:"calls"`      // requests that came
	Answered   int            `json:"answered"`   // requests
	Refused    int            `json:"refused"`    // by the limits
	Overloaded int            `json:"overloaded"` // refused by chance
	Tokens     int            `json:"tokens"`     // of those answered
	Prompts    map[string]int `json:"prompts"`    // how often each was answered
}

// New returns a service with its limits unused.
func New(cfg Config) *Service {
	if cfg.Burst == 0 {
		cfg.Burst = time.Second
	}
	s := &Service{cfg: cfg, mux: http.NewServeMux()}
	s.requests = newBucket(cfg.RequestsPerMinute, cfg.Burst)
	s.tokens = newBucket(cfg.TokensPerMinute, cfg.Burst)
	s.account.Prompts = map[string]int{}
	s.mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, openAI{}) })
	s.mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, anthropic{}) })
	s.mux.HandleFunc("GET /account", s.tell)
	return s
}

// ServeHTTP answers a request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Account returns what the service has done so far.
func (s *Service) Account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account
	a.Prompts = maps.Clone(a.Prompts)
	return a
}

// tell answers with the account.
func (s *Service) tell(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Account()) // who has gone needs no answer
}

// Usage is what a call takes, in tokens.
type Usage struct{ Prompt, Answer int }

// UsageOf returns what a prompt takes: a token for each word, and 8 to 71 for the answer, at
// most so many as allowed; 0 is no bound.
func UsageOf(prompt string, most int) Usage {
	sum := sha256.Sum256([]byte(prompt))
	answer := 8 + int(binary.BigEndian.Uint16(sum[:])%64)
	if most > 0 {
		answer = min(answer, most)
	}
	return Usage{Prompt: len(strings.Fields(prompt)), Answer: answer}
}

// Text returns the answer to a prompt: as many words as it has tokens.
func Text(u Usage) string { return strings.TrimSpace(strings.Repeat("word ", u.Answer)) }

// fate is what becomes of a request.
type fate struct {
	refused    time.Duration // how long until there is room, 0 if there is
	by         string        // the limit
	overloaded bool
	stalled    bool
	limits     limits
}

// limits are what headers tell.
type limits struct {
	requests, requestsLeft, tokens, tokensLeft float64
	requestsReset, tokensReset                 time.Duration // until there is all of it
}

// decide counts a request, and says what becomes of it.
func (s *Service) decide(u Usage) (f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.account.Calls++
	now := time.Now()
	s.requests.fill(now)
	s.tokens.fill(now)
	need := float64(u.Prompt + u.Answer)
	switch {
	case s.requests.wait(1) > 0:
		f.refused, f.by = s.requests.wait(1), "requests"
	case s.tokens.wait(need) > 0:
		f.refused, f.by = s.tokens.wait(need), "tokens"
	case chance(s.calls, 1) < s.cfg.Overloaded:
		f.overloaded = true
	}
	switch {
	case f.refused > 0:
		s.account.Refused++
	case f.overloaded:
		s.account.Overloaded++
	default:
		s.requests.level--
		s.tokens.level -= need
		f.stalled = chance(s.calls, 2) < s.cfg.Stalled
	}
	f.limits = limits{
		s.cfg.RequestsPerMinute, s.requests.level, s.cfg.TokensPerMinute, s.tokens.level,
		s.requests.untilFull(), s.tokens.untilFull(),
	}
	return f
}

// answered takes note that a prompt was answered.
func (s *Service) answered(prompt string, u Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.Answered++
	s.account.Tokens += u.Prompt + u.Answer
	s.account.Prompts[prompt]++
}

// chance returns a number from 0 to 1 that follows from the number of the call.
func chance(call, of uint64) float64 {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], call)
	binary.BigEndian.PutUint64(b[8:], of)
	sum := sha256.Sum256(b[:])
	return float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
}

// bucket is a token bucket; one without a rate is always full.
type bucket struct {
	rate, most, level float64 // per second, and at most
	at                time.Time
}

func newBucket(perMinute float64, burst time.Duration) bucket {
	most := perMinute / 60 * burst.Seconds()
	return bucket{rate: perMinute / 60, most: max(1, most), level: max(1, most)}
}

func (b *bucket) fill(now time.Time) {
	if !b.at.IsZero() {
		b.level = min(b.most, b.level+b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
}

// rounding is what floating point may get wrong.
const rounding = 1e-6

// wait returns how long it is until there is so much; more than a full bucket is had of one
// that is full.
func (b *bucket) wait(n float64) time.Duration {
	if missing := min(n, b.most) - b.level; b.rate > 0 && missing > rounding {
		return time.Duration(missing / b.rate * float64(time.Second))
	}
	return 0
}

func (b *bucket) untilFull() time.Duration {
	if b.rate == 0 {
		return 0
	}
	return time.Duration((b.most - b.level) / b.rate * float64(time.Second))
}
