package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"riverqueue.com/riverui"
	"riverqueue.com/riverui/uiendpoints"

	"github.com/amorsize/amorsize/live"
	"github.com/amorsize/amorsize/remote"
)

func newUI() *cobra.Command {
	var where place
	var listen string
	c := &cobra.Command{
		Use: "ui", Short: "Serve River's web page of queues and jobs", Args: number(0),
		Long: `Serve River's web page of queues and jobs: a run is a queue, a chunk is a job. It has
no login, and anyone who reaches it can cancel and delete jobs. It listens on this
machine only, unless --listen names another address.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := where.existing(c)
			if err != nil {
				return err
			}
			defer cluster.Close()
			return ui(c, cluster, listen)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "the address to listen on; port 0 picks a free port")
	return c
}

func newLive() *cobra.Command {
	var where place
	var listen string
	c := &cobra.Command{
		Use: "live", Short: "Serve a web page of the active runs and their progress", Args: number(0),
		Long: `Serve a web page of all active runs, on any worker, and of new ones: their progress,
throughput and failures. It is read-only, has no login, and listens on this machine
only, unless --listen names another address.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := where.existing(c)
			if err != nil {
				return err
			}
			defer cluster.Close()
			page, err := live.New(live.Options{Title: "remote runs"})
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(c.Context())
			watched := make(chan struct{})
			go func() { defer close(watched); _ = cluster.Watch(ctx, page.Observer) }() // it ends with ctx
			defer func() { stop(); <-watched }()
			return serve(c, listen, page)
		},
	}
	where.flags(c)
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "the address to listen on; port 0 picks a free port")
	return c
}

// ours refuses requests for other hosts: a page of somebody else's, whose name leads here, must not cancel jobs.
func ours(next http.Handler, listen string) http.Handler {
	own, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(host)
		if host != "localhost" && host != own && (ip == nil || own != "" && !ip.IsLoopback() && !net.ParseIP(own).IsUnspecified()) {
			http.Error(w, "host name not allowed: "+host, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ui(c *cobra.Command, cluster *remote.Cluster, listen string) error {
	var endpoints uiendpoints.Bundle
	if postgres, sqlite := cluster.River(); postgres != nil {
		endpoints = riverui.NewEndpoints(postgres, nil)
	} else {
		endpoints = riverui.NewEndpoints(sqlite, nil)
	}
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: endpoints, Logger: log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	if err := handler.Start(ctx); err != nil {
		return err
	}
	return serve(c, listen, handler)
}

// serve serves a page until the command is ended.
func serve(c *cobra.Command, listen string, handler http.Handler) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: ours(handler, listen), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(c.Context(), func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
