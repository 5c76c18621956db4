package callback_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/callback"
)

// A panic of who is told changes nothing.
func TestRun(t *testing.T) {
	ran := 0
	callback.Run(func() { ran++ })
	callback.Run(func() { ran++; panic("no") })
	require.Equal(t, 2, ran)
}

// The first is logged, all are counted; those who only return are not.
func TestPanics(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	var p callback.Panics
	p.Run("OnChange", func() {})
	require.Zero(t, p.Count())
	require.Empty(t, log.String())
	for range 3 {
		p.Run("OnChange", func() { panic("no") })
	}
	require.EqualValues(t, 3, p.Count())
	require.Contains(t, log.String(), "callback=OnChange")
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")))

	// A Goexit ends the goroutine, and is no panic.
	done := make(chan bool)
	go func() {
		defer func() { done <- true }()
		p.Run("OnChange", runtime.Goexit)
		t.Error("it went on")
	}()
	<-done
	require.EqualValues(t, 3, p.Count())
}
