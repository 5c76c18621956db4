package cli

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v3/load"

	"github.com/amorsize/amorsize"
)

// loadLimit is a policy that holds calls back while the machine is busy.
type loadLimit float64

func loadPolicies(most float64) []amorsize.Policy {
	if most == 0 {
		return nil
	}
	return []amorsize.Policy{loadLimit(most)}
}

// Do waits until the load average of the last minute is low enough.
func (most loadLimit) Do(ctx context.Context, call func(context.Context) error) error {
	for {
		average, err := load.AvgWithContext(ctx)
		if err != nil || average.Load1 <= float64(most) {
			return call(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
