package main

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health is a service that can't be reached by the first call for each name that ends in 5.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	asked sync.Map
}

func (h *health) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	time.Sleep(10 * time.Millisecond)
	_, again := h.asked.LoadOrStore(r.GetService(), true)
	switch {
	case strings.HasSuffix(r.GetService(), "5") && !again:
		return nil, status.Error(codes.Unavailable, "not just now")
	case !strings.HasPrefix(r.GetService(), "service-"):
		return nil, status.Error(codes.NotFound, "no such service")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

// serve starts the service on loopback.
func serve() (address string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, &health{})
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), server.Stop, nil
}
