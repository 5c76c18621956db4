// Package billing charges customers at night, and is an example of batch code whose test has 25 minutes pass in a
// second: see billing_test.go.
package billing

import (
	"context"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// Charge charges one customer. It may be called again for the same one: the service keeps a charge once.
type Charge func(ctx context.Context, customer int) error

// Run charges all customers, at most 20 a second, and waits while the service is down.
func Run(ctx context.Context, charge Charge, customers []int) error {
	return amorsize.ForEach(ctx, charge, customers,
		amorsize.WithErrors(amorsize.Collect),
		amorsize.WithPolicies(
			retry.MustNew(retry.Policy{MaxRetries: 8, MaxDelay: time.Minute}),
			circuitbreaker.MustNew(circuitbreaker.Policy{OpenFor: 10 * time.Second, WhenOpen: circuitbreaker.Wait}),
			ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}),
		))
}
