// Command github reads 60 repositories of an API that allows 5000 requests an hour, as GitHub's does. Other programs
// with the same token have left 30 of this hour's; the run waits until the API has more.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

type repository struct {
	Name  string `json:"full_name"`
	Stars int    `json:"stargazers_count"`
}

type github struct {
	url, token string
	client     *http.Client
}

func (g github) repository(ctx context.Context, name string) (r repository, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/repos/"+name, http.NoBody)
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	resp, err := g.client.Do(req)
	if err != nil {
		return r, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.Check(resp); err != nil {
		return r, err
	}
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

func main() {
	fake := serve() // "https://api.github.com" is the real one
	defer fake.Close()
	client := &http.Client{Transport: transport.MustNew(transport.Config{
		// The hour's 5000 are kept by what the API says: at X-RateLimit-Remaining: 0 the limiter pauses until
		// X-RateLimit-Reset, an hour at most. The rate stays below GitHub's second limit, 900 points a minute, of
		// which a GET takes one.
		Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 14, BurstSize: 1, MaxPause: time.Hour}),
		// A request that is refused all the same, with 403 or 429, is made again when the API says so.
		Retrier: retry.MustNew(retry.Policy{MaxRetries: 5, MaxDelay: time.Hour, AttemptTimeout: 30 * time.Second}),
	})}
	g := github{fake.URL, "a token", client}
	names := make([]string, 60)
	for i := range names {
		names[i] = fmt.Sprintf("golang/repository-%d", i)
	}
	repositories, err := amorsize.ExecuteContext(context.Background(), g.repository, names,
		amorsize.WithMaxWorkers(50)) // GitHub asks for no more than 100 requests at once
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(repositories), "repositories; the last one:", repositories[59].Name, repositories[59].Stars)
	fmt.Println("hours that were begun:", fake.hours())
}
