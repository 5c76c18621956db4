// Command serve is the service of models of package modelservice on a port of this machine,
// to try programs and commands with:
//
//	go run ./internal/modelservice/serve -addr 127.0.0.1:8484 -rpm 600 -tpm 60000
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/amorsize/amorsize/internal/modelservice"
)

func main() {
	var cfg modelservice.Config
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	ends := flag.Duration("for", 10*time.Minute, "ends after that time")
	flag.Float64Var(&cfg.RequestsPerMinute, "rpm", 0, "requests per minute, 0 for no limit")
	flag.Float64Var(&cfg.TokensPerMinute, "tpm", 0, "tokens per minute, 0 for no limit")
	flag.DurationVar(&cfg.Burst, "burst", 0, "for how long limits may be saved up")
	flag.DurationVar(&cfg.Latency, "latency", 300*time.Millisecond, "until the first token")
	flag.DurationVar(&cfg.PerToken, "per-token", 5*time.Millisecond, "for each token")
	flag.Float64Var(&cfg.Overloaded, "overloaded", 0, "share of requests that find it overloaded")
	flag.Float64Var(&cfg.Stalled, "stalled", 0, "share of requests that stall")
	flag.DurationVar(&cfg.Stall, "stall", 6*time.Second, "for how long they do")
	flag.Parse()
	if err := serve(*addr, *ends, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(addr string, ends time.Duration, cfg modelservice.Config) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	server := &http.Server{Handler: modelservice.New(cfg), ReadHeaderTimeout: 10 * time.Second}
	time.AfterFunc(ends, func() { _ = server.Close() })
	if err = server.Serve(l); errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
