package process

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
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
