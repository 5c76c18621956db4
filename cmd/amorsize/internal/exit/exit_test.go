package exit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

func TestOfRun(t *testing.T) {
	for _, c := range []struct {
		stopped error
		failed  int
		want    int
	}{
		{nil, 0, exit.OK},
		{nil, 1, exit.Failed},
		{nil, 7, exit.Failed},
		{jobs.ErrInterrupted, 0, exit.Interrupted},
		{jobs.ErrTerminated, 3, exit.Terminated},
		{jobs.ErrHalted, 3, exit.Halted},
		{jobs.ErrFatal, 1, exit.Halted},
		{jobs.ErrDeadline, 0, exit.Resumable},
		{jobs.ErrGaveUp, 1, exit.Resumable},
		{jobs.ErrPipe, 0, exit.PipeClosed},
		{jobs.ErrLog, 0, exit.BadUsage},
		{jobs.ErrOutput, 1, exit.BadUsage},
		{errors.New("anything else"), 1, exit.BadUsage},
	} {
		stopped := c.stopped
		if stopped != nil {
			stopped = fmt.Errorf("%w: with details", stopped)
		}
		require.Equal(t, c.want, exit.OfRun(stopped, c.failed), "%v, %d failed", c.stopped, c.failed)
	}
}

func TestError(t *testing.T) {
	cause := errors.New("no such flag")
	err := fmt.Errorf("while starting: %w", exit.Usage(cause))
	require.ErrorIs(t, err, cause)
	var status *exit.Error
	require.ErrorAs(t, err, &status)
	require.Equal(t, exit.BadUsage, status.Code)
	require.Equal(t, "no such flag", status.Error())
	require.EqualError(t, exit.Usagef("--limit %d: want more", 0), "--limit 0: want more")
	require.EqualError(t, exit.With(exit.Halted, nil), "exit 4", "it has nothing to say, and is an error all the same")
}
