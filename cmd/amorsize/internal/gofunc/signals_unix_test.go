//go:build unix

package gofunc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	harnesses["starts another"] = func(out *os.File) {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), harnessVariable+"=ignores input")
		child.Stderr, child.ExtraFiles = os.Stderr, []*os.File{out}
		if err := child.Start(); err != nil {
			panic(err)
		}
		hang(out)
	}
	harnesses["leaves another"] = func(out *os.File) {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), harnessVariable+"=ignores input")
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		tell(out, fmt.Sprintf(`{"type":"parallel","items":%d}`, child.Process.Pid), `{"type":"end"}`)
	}
}

// protocol is what the harness writes records to. As in the true one, what it starts does not have it.
func protocol() *os.File {
	syscall.CloseOnExec(3)
	return os.NewFile(3, "records")
}

// TestWhatStaysHoldsNobodyUp: a process that the function has started may live on, and hold its standard error open.
func TestWhatStaysHoldsNobodyUp(t *testing.T) {
	got, err := fakeHarness(t, "leaves another").Parallel(t.Context(), Run{})
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(got.Items, syscall.SIGKILL), "it has not ended")
}

// TestProgramHasAGroupOfItsOwn: a terminal's signals are for amorsize, and what the function starts ends with it.
func TestProgramHasAGroupOfItsOwn(t *testing.T) {
	b := fakeHarness(t, "starts another")
	group := 0
	b.Started = func(pid int) func() {
		var err error
		group, err = syscall.Getpgid(pid)
		require.NoError(t, err)
		require.Equal(t, pid, group)
		return func() {}
	}
	ctx, cancel := context.WithCancel(t.Context())
	// The records end when nobody can write any: neither the program nor what it has started.
	_, err := b.Parallel(ctx, Run{Output: canceling{cancel}})
	require.Equal(t, context.Canceled, err)
	require.NotEqual(t, syscall.Getpgrp(), group)
}
