package policies

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v3/load"

	"github.com/amorsize/amorsize/executor"
)

// MaxLoad returns the policies of --max-load: calls wait while the load average of the
// last minute is above most. 0 is no bound. Where the average is not known, nothing waits.
func MaxLoad(most float64) []executor.Policy {
	if most == 0 {
		return nil
	}
	return []executor.Policy{loadLimit{most, func(ctx context.Context) (float64, error) {
		average, err := load.AvgWithContext(ctx)
		if err != nil {
			return 0, err
		}
		return average.Load1, nil
	}}}
}

type loadLimit struct {
	most    float64
	average func(context.Context) (float64, error)
}

// loadInterval is how often the load is checked while calls wait.
const loadInterval = time.Second

// Do waits until the load average is low enough, and makes the call.
func (l loadLimit) Do(ctx context.Context, call func(context.Context) error) error {
	for {
		if average, err := l.average(ctx); err != nil || average <= l.most {
			return call(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(loadInterval):
		}
	}
}
