package modelservice

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is a request, in whatever form.
type call struct {
	model  string
	prompt string
	most   int // tokens of the answer, 0 for no bound
	stream bool
}

// api is the form of requests and answers of one provider.
type api interface {
	// parse reads a request.
	parse(body []byte) (call, error)
	// whole returns an answer.
	whole(c call, u Usage) any
	// events returns the beginning, each word and the end of an answer that is streamed.
	begin(c call, u Usage) []event
	word(text string) event
	end(c call, u Usage) []event
	// limits sets the headers that tell limits.
	limits(h http.Header, l limits)
	// failure returns the body of an error.
	failure(kind, message string) any
	// kinds names the errors of statuses.
	kinds() (throttled, overloaded, invalid string)
	// busy is the status of an overloaded service.
	busy() int
}

// event is a server-sent event.
type event struct {
	name string // "" has no line for it
	data any    // a string is sent as it is
}

const mostRequest = 4 << 20

// serve answers a request in the form of an api.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, a api) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostRequest))
	var c call
	if err == nil {
		c, err = a.parse(body)
	}
	_, overloaded, invalid := a.kinds()
	if err != nil {
		fail(w, http.StatusBadRequest, a.failure(invalid, err.Error()))
		return
	}
	u := UsageOf(c.prompt, c.most)
	f := s.decide(u)
	if !s.cfg.Unannounced {
		a.limits(w.Header(), f.limits)
	}
	switch {
	case f.refused > 0:
		s.refuse(w, a, f)
		return
	case f.overloaded:
		fail(w, a.busy(), a.failure(overloaded, "Overloaded"))
		return
	}
	if f.stalled {
		pause(r, s.cfg.Stall)
	}
	if !pause(r, s.cfg.Latency) {
		return
	}
	if c.stream {
		s.stream(w, r, a, c, u)
		return
	}
	if !pause(r, time.Duration(u.Answer)*s.cfg.PerToken) {
		return
	}
	s.answered(c.prompt, u) // before it is known whether it arrives: it is paid for
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.whole(c, u))
}

// refuse says that a limit is reached.
func (s *Service) refuse(w http.ResponseWriter, a api, f fate) {
	if !s.cfg.Unannounced {
		w.Header().Set("retry-after", strconv.Itoa(int(math.Ceil(f.refused.Seconds()))))
		w.Header().Set("retry-after-ms", strconv.FormatInt(f.refused.Milliseconds()+1, 10))
	}
	throttled, _, _ := a.kinds()
	fail(w, http.StatusTooManyRequests, a.failure(throttled,
		fmt.Sprintf("Rate limit reached on %s per minute. Please try again in %.3fs.", f.by, f.refused.Seconds())))
}

// stream answers with an event for each word.
func (s *Service) stream(w http.ResponseWriter, r *http.Request, a api, c call, u Usage) {
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(events ...event) {
		for _, e := range events {
			e.write(w)
		}
		_ = http.NewResponseController(w).Flush() // who has gone is noticed by pause
	}
	send(a.begin(c, u)...)
	for _, word := range strings.SplitAfter(Text(u), " ") {
		if !pause(r, s.cfg.PerToken) {
			return
		}
		send(a.word(word))
	}
	s.answered(c.prompt, u)
	send(a.end(c, u)...)
}

func (e event) write(w io.Writer) {
	if e.name != "" {
		_, _ = fmt.Fprintf(w, "event: %s\n", e.name)
	}
	text, ok := e.data.(string)
	if !ok {
		raw, _ := json.Marshal(e.data) // of maps and numbers
		text = string(raw)
	}
	_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
}

func fail(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// pause waits. It is false if the client has gone.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// message is one of a conversation; its content is text, or parts with text.
type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func (m message) text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Content, &parts) // else there is none
	for _, p := range parts {
		text += p.Text
	}
	return text
}

// parseCall reads what both apis have in common.
func parseCall(body []byte) (call, error) {
	var q struct {
		Model               string    `json:"model"`
		Messages            []message `json:"messages"`
		MaxTokens           int       `json:"max_tokens"`
		MaxCompletionTokens int       `json:"max_completion_tokens"`
		Stream              bool      `json:"stream"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return call{}, fmt.Errorf("the body is no JSON: %w", err)
	}
	if len(q.Messages) == 0 {
		return call{}, fmt.Errorf("messages: want at least one")
	}
	c := call{model: q.Model, most: cmp.Or(q.MaxTokens, q.MaxCompletionTokens), stream: q.Stream}
	for _, m := range q.Messages {
		c.prompt += m.text() + "\n"
	}
	c.prompt = strings.TrimSuffix(c.prompt, "\n")
	return c, nil
}
