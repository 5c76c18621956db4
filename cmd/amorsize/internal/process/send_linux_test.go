package process

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestSend: the kernel sends what is there, tells what went wrong, and leaves what it does
// not send to others.
func TestSend(t *testing.T) {
	const size = 300_000 // more than a pipe holds
	from, err := os.Create(filepath.Join(t.TempDir(), "from"))
	require.NoError(t, err)
	defer func() { require.NoError(t, from.Close()) }()
	want := strings.Repeat("x", size)
	_, err = from.WriteString(want)
	require.NoError(t, err)

	r, w, err := os.Pipe()
	require.NoError(t, err)
	got := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(r)
		got <- string(text)
	}()
	sent, err := send(w, from, size+1) // it has become shorter
	require.NoError(t, err)
	require.EqualValues(t, size, sent)
	require.NoError(t, w.Close())
	require.True(t, want == <-got)
	require.NoError(t, r.Close())

	r, w, err = os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	sent, err = send(w, from, size)
	require.ErrorIs(t, err, syscall.EPIPE)
	require.Zero(t, sent)
	require.NoError(t, w.Close())
	sent, err = send(w, from, size) // it is closed by now
	require.ErrorContains(t, err, "closed file")
	require.Zero(t, sent)

	sent, err = send(nil, from, size) // there is nothing that it could send to
	require.NoError(t, err)
	require.Zero(t, sent)

	to, err := os.OpenFile(filepath.Join(t.TempDir(), "to"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	sent, err = send(to, from, size) // where the kernel does not
	require.NoError(t, err)
	require.Zero(t, sent)
	require.NoError(t, to.Close())
}

// TestSendEndsWithTheSize: as much is sent as was asked for, although there is more by now, which
// comes from somebody that the command has left behind. Nothing is waited for once it is sent.
func TestSendEndsWithTheSize(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	conn, err := w.SyscallConn()
	require.NoError(t, err)
	var holds int
	require.NoError(t, conn.Control(func(fd uintptr) { holds, err = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) }))
	require.NoError(t, err)
	from, err := os.Create(filepath.Join(t.TempDir(), "from"))
	require.NoError(t, err)
	defer func() { require.NoError(t, from.Close()) }()
	_, err = from.WriteString(strings.Repeat("x", 7*holds))
	require.NoError(t, err)

	require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Second)))
	sent, err := send(w, from, int64(holds)) // nobody reads, and it need not
	require.NoError(t, err)
	require.EqualValues(t, holds, sent)

	require.NoError(t, w.SetWriteDeadline(time.Time{}))
	got := make(chan int, 1)
	go func() {
		text, _ := io.ReadAll(r)
		got <- len(text)
	}()
	sent, err = send(w, from, int64(5*holds)) // in more than one piece
	require.NoError(t, err)
	require.EqualValues(t, 5*holds, sent)
	require.NoError(t, w.Close())
	require.Equal(t, 6*holds, <-got)
	require.NoError(t, r.Close())
}
