package modelservice_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/modelservice"
)

// ask sends a prompt in the form of one of the APIs, and returns the answer.
func ask(s *modelservice.Service, path, prompt string, more string) *httptest.ResponseRecorder {
	body := fmt.Sprintf(`{"model":"m","max_tokens":1000,"messages":[{"role":"user","content":%q}]%s}`, prompt, more)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return w
}

const (
	chat     = "/v1/chat/completions"
	messages = "/v1/messages"
)

// It counts exactly: in any time no more than its rates and a second's worth.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modelservice.New(modelservice.Config{RequestsPerMinute: 600})
		answered := 0
		for range 1000 { // for ten seconds
			if ask(s, chat, "a b", "").Code == http.StatusOK {
				answered++
			}
			time.Sleep(10 * time.Millisecond)
		}
		require.InDelta(t, 10+100, answered, 1)
		require.Equal(t, 1000-answered, s.Account().Refused)

		s = modelservice.New(modelservice.Config{TokensPerMinute: 6000, Burst: time.Minute})
		u := modelservice.UsageOf("a b", 0)
		for range 6000/(u.Prompt+u.Answer) + 1 {
			ask(s, messages, "a b", "")
		}
		a := s.Account()
		require.Equal(t, 6000/(u.Prompt+u.Answer), a.Answered)
		require.Equal(t, a.Answered*(u.Prompt+u.Answer), a.Tokens)
		require.Equal(t, map[string]int{"a b": a.Answered}, a.Prompts)
		require.Equal(t, 1, a.Refused)
	})
}

// Each provider tells its limits, and when to come back, in its own words.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modelservice.New(modelservice.Config{RequestsPerMinute: 60, TokensPerMinute: 60_000})
		h := ask(s, chat, "a b", "").Header()
		require.Equal(t, "60", h.Get("X-Ratelimit-Limit-Requests"))
		require.Equal(t, "0", h.Get("X-Ratelimit-Remaining-Requests"))
		require.Equal(t, "1s", h.Get("X-Ratelimit-Reset-Requests"))
		w := ask(s, messages, "a b", "")
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, "1001", w.Header().Get("Retry-After-Ms"))
		require.Equal(t, "0", w.Header().Get("Anthropic-Ratelimit-Requests-Remaining"))
		reset, err := time.Parse(time.RFC3339Nano, w.Header().Get("Anthropic-Ratelimit-Requests-Reset"))
		require.NoError(t, err)
		require.InDelta(t, 1, time.Until(reset).Seconds(), 0.01)
		require.Contains(t, w.Body.String(), "rate_limit_error")

		silent := modelservice.New(modelservice.Config{RequestsPerMinute: 60, Unannounced: true})
		ask(silent, chat, "a b", "")
		w = ask(silent, chat, "a b", "")
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Empty(t, w.Header().Get("Retry-After"))
		require.Empty(t, w.Header().Get("X-Ratelimit-Limit-Requests"))
		require.Contains(t, w.Body.String(), "Please try again in 1.000s")
	})
}

// An answer is as long as it says, whole or streamed.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modelservice.New(modelservice.Config{Latency: 50 * time.Millisecond, PerToken: time.Millisecond, Stalled: 1, Stall: time.Second})
		u := modelservice.UsageOf("tell me", 0)
		began := time.Now()
		var whole struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   struct {
				Total int `json:"total_tokens"`
			}
		}
		require.NoError(t, json.Unmarshal(ask(s, chat, "tell me", "").Body.Bytes(), &whole))
		require.Equal(t, modelservice.Text(u), whole.Choices[0].Message.Content)
		require.Len(t, strings.Fields(modelservice.Text(u)), u.Answer)
		require.Equal(t, u.Prompt+u.Answer, whole.Usage.Total)
		require.Equal(t, 1050*time.Millisecond+time.Duration(u.Answer)*time.Millisecond, time.Since(began))

		for _, path := range []string{chat, messages} {
			w := ask(s, path, "tell me", `,"stream":true`)
			require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
			require.Equal(t, u.Answer, bytes.Count(w.Body.Bytes(), []byte("word")))
		}
		parts := httptest.NewRecorder()
		s.ServeHTTP(parts, httptest.NewRequest(http.MethodPost, messages,
			strings.NewReader(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":" b"}]}]}`)))
		require.Equal(t, http.StatusOK, parts.Code)
		require.Equal(t, 1, s.Account().Prompts["a b"])
		require.Contains(t, parts.Body.String(), `"output_tokens":5`)
	})
}

func TestRefusals(t *testing.T) {
	s := modelservice.New(modelservice.Config{Overloaded: 1})
	require.Equal(t, http.StatusServiceUnavailable, ask(s, chat, "a", "").Code)
	require.Equal(t, 529, ask(s, messages, "a", "").Code)
	require.Equal(t, 2, s.Account().Overloaded)
	for _, body := range []string{"", "{", "{}", `{"messages":[]}`, `{"messages":[{"content":"a"}]}`} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, messages, strings.NewReader(body)))
		require.Equal(t, http.StatusBadRequest, w.Code, body)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/account", http.NoBody))
	raw, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"overloaded":2`)
}
