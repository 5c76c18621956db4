package run

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/live"
)

// livePage serves the page of the run, until stop is called. The address is on the loopback unless it names a
// host.
func (s *Session) livePage() (stop func(), err error) {
	address := s.cfg.Show.Live
	if address == "" {
		return func() {}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	own := host == ""
	if own {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	page, err := live.New(live.Options{Title: "amorsize " + s.cfg.Name})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	unwatch := amorsize.Watch(func(info amorsize.RunInfo) amorsize.Observer {
		if info.Name == "" {
			return nil // the sample
		}
		return page.Observer(info)
	})
	var handler http.Handler = page
	if own {
		handler = localOnly(page)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	s.env.Terminal.Say(fmt.Sprintf("amorsize: live page: http://%s/", listener.Addr()))
	return func() {
		unwatch()
		page.Close()
		_ = server.Close()
	}, nil
}

// localOnly serves only requests that use this machine's own names: a page of another site whose name was made to
// resolve to this machine (DNS rebinding) must not see the run.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if host != "localhost" && host != "127.0.0.1" && host != "::1" && host != "[::1]" {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
