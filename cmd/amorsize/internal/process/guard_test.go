//go:build unix

package process_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == process.GuardArgument {
		process.BeGuard()
		return
	}
	goleak.VerifyTestMain(m)
}

// TestGuard: when the guard is left alone, it kills what runs then, in any slot, and
// nothing that has ended.
func TestGuard(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	guard, err := process.StartGuard(self)
	require.NoError(t, err)
	s, groups := spawner(t, process.Config{})
	groups.Watch(guard)
	var live []*process.Partner
	for slot := range 3 {
		p, err := s.Start(process.Command{Argv: []string{"sleep", "1000"}, Slot: slot})
		require.NoError(t, err)
		live = append(live, p)
	}
	ended, err := s.Start(process.Command{Argv: []string{"cat"}, Slot: 5})
	require.NoError(t, err)
	require.NoError(t, ended.End())
	other, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "exec sleep 1000"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setpgid: true}})
	require.NoError(t, err)
	for range 63 { // through the slots of those that others have started
		groups.Adopt(1<<30, "none")()
	}
	overAdopted := groups.Adopt(other.Pid, "other")
	require.Len(t, groups.List(), 4)
	guard.Close()
	for _, p := range live {
		require.ErrorContains(t, p.End(), "signal: killed")
	}
	state, err := other.Wait()
	require.NoError(t, err)
	require.Equal(t, "signal: killed", state.String())
	overAdopted()
	require.Empty(t, groups.List())

	var none *process.Guard
	none.Close() // where there can be none
	_, err = process.StartGuard("/no/such/program")
	require.Error(t, err)
	noRoom(t)
	_, err = process.StartGuard(self)
	require.Error(t, err)
}
