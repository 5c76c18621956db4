// Command grpc asks a gRPC service about 300 names: at most 100 calls a second, again where that is safe, and not at
// all while the service is down.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// down reports whether an error says that the service, and not this call, is to blame.
func down(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Internal:
		return true
	default: // NotFound, InvalidArgument, …: the service answered
		return false
	}
}

// again reports whether a call is worth another attempt. It may have been done all the same, if a connection broke, so
// this is for methods that may be called twice.
func again(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.ResourceExhausted
}

type client struct{ grpc_health_v1.HealthClient }

func (c client) status(ctx context.Context, name string) (string, error) {
	answer, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: name})
	return answer.GetStatus().String(), err
}

func run(address string, names []string) (up int, err error) {
	// One connection carries many calls, so it is made once, outside the function.
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = connection.Close() }()
	c := client{grpc_health_v1.NewHealthClient(connection)}
	answers, err := amorsize.ExecuteContext(context.Background(), c.status, names,
		amorsize.WithErrors(amorsize.Collect),
		amorsize.WithPolicies(
			retry.MustNew(retry.Policy{MaxRetries: 5, RetryIf: again, AttemptTimeout: 10 * time.Second}),
			circuitbreaker.MustNew(circuitbreaker.Policy{IsFailure: down, WhenOpen: circuitbreaker.Wait, OpenFor: time.Second}),
			ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 10})))
	for _, answer := range answers {
		if answer == "SERVING" {
			up++
		}
	}
	return up, err
}

func main() {
	address, stop, err := serve()
	if err != nil {
		log.Fatal(err)
	}
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("service-%d", i)
	}
	names[7] = "a name that it does not know"
	up, err := run(address, names)
	stop()
	fmt.Println(up, "of", len(names), "services are up;", err)
}
