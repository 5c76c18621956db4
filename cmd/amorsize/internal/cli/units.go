package cli

import (
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// short writes a number of seconds.
func short(seconds float64) string { return jobs.Short(time.Duration(seconds * float64(time.Second))) }
