package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/modelservice"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a client made of a call.
type answer struct {
	text   string
	tokens int
}

// asks are the ways to ask a model: each official client, whole and streamed. Its own retries
// are off: the transport makes them.
func asks(url string, client *http.Client) map[string]func(ctx context.Context, prompt string) (answer, error) {
	oa := openai.NewClient(openaioption.WithBaseURL(url+"/v1/"), openaioption.WithAPIKey("none"), openaioption.WithHTTPClient(client),
		openaioption.WithMaxRetries(0), openaioption.WithHeader("Idempotency-Key", "")) // asking twice does no harm; it is not sent
	an := anthropic.NewClient(anthropicoption.WithBaseURL(url), anthropicoption.WithAPIKey("none"), anthropicoption.WithHTTPClient(client),
		anthropicoption.WithMaxRetries(0), anthropicoption.WithHeader("Idempotency-Key", ""))
	toOpenAI := func(prompt string) openai.ChatCompletionNewParams {
		return openai.ChatCompletionNewParams{Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
	}
	toAnthropic := func(prompt string) anthropic.MessageNewParams {
		return anthropic.MessageNewParams{Model: "m", MaxTokens: 1000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))}}
	}
	return map[string]func(ctx context.Context, prompt string) (answer, error){
		"openai": func(ctx context.Context, prompt string) (answer, error) {
			r, err := oa.Chat.Completions.New(ctx, toOpenAI(prompt))
			if err != nil {
				return answer{}, err
			}
			return answer{r.Choices[0].Message.Content, int(r.Usage.TotalTokens)}, nil
		},
		"openai, streamed": func(ctx context.Context, prompt string) (a answer, err error) {
			stream := oa.Chat.Completions.NewStreaming(ctx, toOpenAI(prompt))
			defer func() { err = errors.Join(err, stream.Close()) }()
			for stream.Next() {
				chunk := stream.Current()
				a.text += chunk.Choices[0].Delta.Content
				a.tokens += int(chunk.Usage.TotalTokens)
			}
			return a, stream.Err()
		},
		"anthropic": func(ctx context.Context, prompt string) (answer, error) {
			r, err := an.Messages.New(ctx, toAnthropic(prompt))
			if err != nil {
				return answer{}, err
			}
			return answer{r.Content[0].Text, int(r.Usage.InputTokens + r.Usage.OutputTokens)}, nil
		},
		"anthropic, streamed": func(ctx context.Context, prompt string) (a answer, err error) {
			stream := an.Messages.NewStreaming(ctx, toAnthropic(prompt))
			defer func() { err = errors.Join(err, stream.Close()) }()
			var whole anthropic.Message
			for stream.Next() {
				if err := whole.Accumulate(stream.Current()); err != nil {
					return a, err
				}
			}
			if err := stream.Err(); err != nil {
				return a, err
			}
			return answer{whole.Content[0].Text, int(whole.Usage.InputTokens + whole.Usage.OutputTokens)}, nil
		},
	}
}

// prompts are so many different ones.
func prompts(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("prompt %d of a list of them", i)
	}
	return list
}

// The official clients over a transport, beside a service that counts, is overloaded and
// stalls: each prompt is answered once, whole, and in order.
func TestOfficialClients(t *testing.T) {
	list := prompts(150)
	for _, name := range []string{"openai", "openai, streamed", "anthropic", "anthropic, streamed"} {
		t.Run(name, func(t *testing.T) {
			service := modelservice.New(modelservice.Config{
				RequestsPerMinute: 60 * 100, TokensPerMinute: 60 * 5000,
				Latency: 5 * time.Millisecond, PerToken: 100 * time.Microsecond,
				Overloaded: 0.05, Stalled: 0.02, Stall: 100 * time.Millisecond,
			})
			server := httptest.NewServer(service)
			defer server.Close()
			tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 5000})
			tripper := transport.MustNew(transport.Config{
				Base:    server.Client().Transport,
				Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1}),
				Tokens:  tokens,
				Retrier: retry.MustNew(retry.Policy{MaxRetries: 8, InitialDelay: 10 * time.Millisecond}),
			})
			ask := asks(server.URL, &http.Client{Transport: tripper})[name]

			out, err := amorsize.ExecuteContext(t.Context(), ask, list, amorsize.WithPolicies(amorsize.Cost(tokens,
				func(string) float64 { return 50 }, func(a answer, _ error) float64 { return float64(a.tokens) })))

			require.NoError(t, err)
			account := service.Account()
			for i, prompt := range list {
				u := modelservice.UsageOf(prompt, 0)
				require.Equal(t, answer{modelservice.Text(u), u.Prompt + u.Answer}, answer{strings.TrimSpace(out[i].text), out[i].tokens}, prompt)
				require.Equal(t, 1, account.Prompts[prompt], prompt)
			}
			require.Equal(t, len(list), account.Answered)
			require.Positive(t, account.Overloaded, "else it was too easy")
			t.Logf("%+v", modelservice.Account{Answered: account.Answered, Refused: account.Refused, Overloaded: account.Overloaded, Tokens: account.Tokens})
		})
	}
}

// A client sees its own errors when the transport has given up.
func TestErrorsOfClients(t *testing.T) {
	service := modelservice.New(modelservice.Config{Overloaded: 1})
	server := httptest.NewServer(service)
	defer server.Close()
	tripper := transport.MustNew(transport.Config{
		Base: server.Client().Transport, Retrier: retry.MustNew(retry.Policy{MaxRetries: 2, InitialDelay: time.Millisecond}),
	})
	for name, ask := range asks(server.URL, &http.Client{Transport: tripper}) {
		before := service.Account().Overloaded
		_, err := ask(t.Context(), "a prompt")
		require.Error(t, err, name)
		require.Equal(t, before+3, service.Account().Overloaded, name)
		var oa *openai.Error
		var an *anthropic.Error
		switch {
		case errors.As(err, &oa):
			require.Equal(t, http.StatusServiceUnavailable, oa.StatusCode)
		case errors.As(err, &an):
			require.Equal(t, 529, an.StatusCode)
		default:
			require.Fail(t, "neither client's error", "%s: %T %v", name, err, err)
		}
	}
}
