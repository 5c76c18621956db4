// Package billing charges customers at night, and is an example of batch code whose test has 80 minutes pass in a
// second: see billing_test.go.
package billing

import (
	"context"
	"errors"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// ErrDeclined is what a customer's bank says: nobody is to ask again, and the service is well.
var ErrDeclined = errors.New("declined")

// Charge charges one customer. It may be called again for the same one: the service keeps a charge once.
type Charge func(ctx context.Context, customer int) error

// Run charges all customers, at most 20 a second. While the service is down it waits, however long that is: what is not
// declined is tried again until it succeeds, or until ctx ends.
func Run(ctx context.Context, charge Charge, customers []int) error {
	return amorsize.ForEach(ctx, charge, customers,
		amorsize.WithErrors(amorsize.Collect),
		amorsize.WithPolicies(
			retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, RetryIf: failed}),
			circuitbreaker.MustNew(circuitbreaker.Policy{OpenFor: 10 * time.Second, WhenOpen: circuitbreaker.Wait, IsFailure: failed}),
			ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}),
		))
}

func failed(err error) bool { return !errors.Is(err, ErrDeclined) }
