//go:build unix

package process_test

import (
	"bufio"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// TestPartner: one that is asked answers, and ends when nothing more is asked.
func TestPartner(t *testing.T) {
	s, groups := spawner(t, process.Config{Env: []string{"GREETING=hello", "PATH=" + os.Getenv("PATH")}})
	p, err := s.Start(process.Command{Argv: []string{"sh", "-c", `read x; echo "$GREETING $NAME $x"; cat`}, Env: []string{"NAME=you"}, Slot: 3, Item: "first"})
	require.NoError(t, err)
	require.Len(t, groups.List(), 1)
	require.Equal(t, "first", groups.List()[0].Item)
	require.Equal(t, 3, groups.List()[0].Slot)
	_, err = p.Questions.WriteString("there\nmore\n")
	require.NoError(t, err)
	answers := bufio.NewReader(p.Answers)
	for _, want := range []string{"hello you there\n", "more\n"} {
		got, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Zero(t, p.Unanswered())
	require.Zero(t, p.Unread())
	require.NoError(t, p.End())
	require.Empty(t, groups.List())

	_, err = s.Start(process.Command{Argv: []string{"no-such-program"}})
	require.ErrorAs(t, err, new(*process.SpawnError))
	_, err = s.Start(process.Command{Path: "/no/such/program", Argv: []string{"x"}})
	require.ErrorAs(t, err, new(*process.SpawnError))
}

// TestPartnerThatGoesOn: one that does not end is asked to, and then killed.
func TestPartnerThatGoesOn(t *testing.T) {
	for _, c := range []struct {
		trap, want string
		grace      time.Duration
	}{{"exit 7", "exit 7", time.Second}, {"", "signal: killed", 50 * time.Millisecond}} {
		s, groups := spawner(t, process.Config{Grace: c.grace})
		command := sh(`trap "` + c.trap + `" TERM; echo ready; while :; do sleep 0.01; done`)
		p, err := s.Start(command)
		require.NoError(t, err)
		_, err = bufio.NewReader(p.Answers).ReadString('\n')
		require.NoError(t, err)
		require.ErrorContains(t, p.End(), c.want)
		require.Empty(t, groups.List())
	}
}

// TestRaiseTwice: what has been asked to end is not asked again, but killed.
func TestRaiseTwice(t *testing.T) {
	s, groups := spawner(t, process.Config{})
	p, err := s.Start(sh(`trap "echo asked" TERM; trap "echo other" WINCH; echo ready; while :; do sleep 0.01; done`))
	require.NoError(t, err)
	answers := bufio.NewReader(p.Answers)
	next := func() string {
		line, err := answers.ReadString('\n')
		require.NoError(t, err)
		return line
	}
	require.Equal(t, "ready\n", next())
	groups.Raise(process.Asked)
	require.Equal(t, "asked\n", next())
	groups.Raise(process.Asked)
	groups.Raise(process.Untroubled)
	require.NoError(t, syscall.Kill(groups.List()[0].Pid, syscall.SIGWINCH)) // a shell sees to signals in the order of their numbers
	require.Equal(t, "other\n", next())
	groups.Raise(process.Killed)
	require.ErrorContains(t, p.End(), "signal: killed")
}
