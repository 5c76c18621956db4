package modelservice

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

type object = map[string]any

// openAI is the chat API of OpenAI (platform.openai.com/docs/api-reference/chat, and
// docs/guides/rate-limits for the headers).
type openAI struct{}

func (openAI) parse(body []byte) (call, error) { return parseCall(body) }

func (openAI) usage(u Usage) object {
	return object{"prompt_tokens": u.Prompt, "completion_tokens": u.Answer, "total_tokens": u.Prompt + u.Answer}
}

func (a openAI) whole(c call, u Usage) any {
	return object{
		"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": c.model, "usage": a.usage(u),
		"choices": []any{object{
			"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": Text(u), "refusal": nil},
		}},
	}
}

func (openAI) chunk(delta object, finish, usage any) event {
	return event{data: object{
		"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": "m", "usage": usage,
		"choices": []any{object{"index": 0, "delta": delta, "finish_reason": finish}},
	}}
}

func (a openAI) begin(call, Usage) []event {
	return []event{a.chunk(object{"role": "assistant", "content": ""}, nil, nil)}
}
func (a openAI) word(text string) event { return a.chunk(object{"content": text}, nil, nil) }

func (a openAI) end(_ call, u Usage) []event {
	return []event{a.chunk(object{}, "stop", a.usage(u)), {data: "[DONE]"}}
}

func (openAI) limits(h http.Header, l limits) {
	set := func(what string, limit, left float64, reset time.Duration) {
		if limit == 0 {
			return
		}
		h.Set("x-ratelimit-limit-"+what, whole(limit))
		h.Set("x-ratelimit-remaining-"+what, whole(max(0, left)))
		h.Set("x-ratelimit-reset-"+what, reset.Truncate(time.Millisecond).String())
	}
	set("requests", l.requests, l.requestsLeft, l.requestsReset)
	set("tokens", l.tokens, l.tokensLeft, l.tokensReset)
}

func (openAI) failure(kind, message string) any {
	return object{"error": object{"message": message, "type": kind, "param": nil, "code": kind}}
}

func (openAI) kinds() (throttled, overloaded, invalid string) {
	return "rate_limit_exceeded", "server_error", "invalid_request_error"
}

func (openAI) busy() int { return http.StatusServiceUnavailable }

// anthropic is the messages API of Anthropic (docs.anthropic.com/en/api/messages, and
// docs.anthropic.com/en/api/rate-limits for the headers).
type anthropic struct{}

func (anthropic) parse(body []byte) (call, error) {
	c, err := parseCall(body)
	if err == nil && c.most == 0 {
		err = fmt.Errorf("max_tokens: field required")
	}
	return c, err
}

func (anthropic) message(c call, u Usage, content []any, answer int) object {
	return object{
		"id": "msg_0", "type": "message", "role": "assistant", "model": c.model, "content": content,
		"stop_reason": "end_turn", "stop_sequence": nil,
		"usage": object{"input_tokens": u.Prompt, "output_tokens": answer},
	}
}

func (a anthropic) whole(c call, u Usage) any {
	return a.message(c, u, []any{object{"type": "text", "text": Text(u)}}, u.Answer)
}

func named(name string, data object) event {
	data["type"] = name
	return event{name, data}
}

func (a anthropic) begin(c call, u Usage) []event {
	return []event{
		named("message_start", object{"message": a.message(c, u, []any{}, 1)}),
		named("content_block_start", object{"index": 0, "content_block": object{"type": "text", "text": ""}}),
	}
}

func (anthropic) word(text string) event {
	return named("content_block_delta", object{"index": 0, "delta": object{"type": "text_delta", "text": text}})
}

func (anthropic) end(_ call, u Usage) []event {
	return []event{
		named("content_block_stop", object{"index": 0}),
		named("message_delta", object{
			"delta": object{"stop_reason": "end_turn", "stop_sequence": nil}, "usage": object{"output_tokens": u.Answer},
		}),
		named("message_stop", object{}),
	}
}

func (anthropic) limits(h http.Header, l limits) {
	set := func(what string, limit, left float64, reset time.Duration) {
		if limit == 0 {
			return
		}
		h.Set("anthropic-ratelimit-"+what+"-limit", whole(limit))
		h.Set("anthropic-ratelimit-"+what+"-remaining", whole(max(0, left)))
		h.Set("anthropic-ratelimit-"+what+"-reset", time.Now().Add(reset).UTC().Format(time.RFC3339Nano))
	}
	set("requests", l.requests, l.requestsLeft, l.requestsReset)
	set("tokens", l.tokens, l.tokensLeft, l.tokensReset)
}

func (anthropic) failure(kind, message string) any {
	return object{"type": "error", "error": object{"type": kind, "message": message}}
}

func (anthropic) kinds() (throttled, overloaded, invalid string) {
	return "rate_limit_error", "overloaded_error", "invalid_request_error"
}

func (anthropic) busy() int { return 529 }

func whole(n float64) string { return strconv.Itoa(int(n)) }
