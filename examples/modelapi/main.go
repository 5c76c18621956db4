// Command modelapi asks a model about each line of its input, as fast as the account's
// requests and tokens per minute allow, and prints the answers in the order of the lines.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// answer is what is read of a completion.
type answer struct {
	Choices []struct {
		Message struct{ Content string }
	}
	Usage struct {
		Total float64 `json:"total_tokens"`
	}
}

// api is where the model is, and which one.
type api struct{ url, model string }

func (m api) ask(ctx context.Context, question string) (a answer, err error) {
	body, err := json.Marshal(map[string]any{
		"model": m.model, "messages": []map[string]string{{"role": "user", "content": question}},
	})
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("MODEL_API_KEY"))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "") // may be retried; net/http leaves an empty one out
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.Check(resp); err != nil {
		return a, err
	}
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

func main() {
	var m api
	flag.StringVar(&m.url, "url", "https://api.openai.com", "where the model is")
	flag.StringVar(&m.model, "model", "gpt-5-mini", "which one")
	perMinute := flag.Float64("rpm", 600, "requests per minute")
	tokensPerMinute := flag.Float64("tpm", 60_000, "tokens per minute")
	flag.Parse()

	var questions []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		questions = append(questions, lines.Text())
	}
	// One at a time: a service that counts by the second may refuse ten that come at once.
	requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: *perMinute / 60, BurstSize: 1})
	tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: *tokensPerMinute / 60})
	estimate := func(question string) float64 { return float64(len(question))/4 + 50 }
	used := func(a answer, _ error) float64 { return a.Usage.Total } // 0 of a call that failed: it costs nothing
	var report amorsize.Report
	answers, err := amorsize.ExecuteContext(context.Background(), m.ask, questions,
		amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report),
		amorsize.WithPolicies(retry.MustNew(retry.Policy{MaxRetries: 5}), requests, amorsize.Cost(tokens, estimate, used)))
	for _, a := range answers {
		text := "-"
		if len(a.Choices) > 0 {
			text = a.Choices[0].Message.Content
		}
		fmt.Println(text)
	}
	fmt.Fprint(os.Stderr, report)
	if err != nil {
		log.Fatal(err)
	}
}
