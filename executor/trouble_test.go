package executor

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// A report says how often listeners failed, in either way, and nothing of what did not happen.
func TestWarningsOfTrouble(t *testing.T) {
	for _, c := range []struct {
		trouble trouble
		want    []string
	}{
		{trouble{}, nil},
		{trouble{panics: 1}, []string{"listeners panicked once; the log has the first panic"}},
		{trouble{panics: 2}, []string{"listeners panicked 2 times; the log has the first panic"}},
		{trouble{exits: 1}, []string{"listeners called runtime.Goexit once"}},
		{trouble{panics: 1, exits: 3}, []string{"listeners panicked once; the log has the first panic", "listeners called runtime.Goexit 3 times"}},
	} {
		require.Equal(t, c.want, c.trouble.warnings())
	}
}

// Of several panics the first is logged, with its stack; all are counted, and none gets out.
func TestFirstPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	e := newEvents(&Config{Progress: func(Progress) {}}, 9, 0)
	e.guarded(func() { panic("the first one") })
	e.guarded(func() { panic("another one") })
	e.guarded(func() {})
	require.Equal(t, trouble{panics: 2}, e.trouble)
	require.Equal(t, 1, strings.Count(log.String(), "a listener of a run panicked"))
	require.Contains(t, log.String(), "the first one")
	require.Contains(t, log.String(), "TestFirstPanicIsLogged", "where it was")
}

// panicking is a handler of a log that fails.
type panicking struct{ slog.Handler }

// A default log that panics itself ends nothing.
func TestLogOfAPanicPanics(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(panicking{}))
	t.Cleanup(func() { slog.SetDefault(before) })
	e := newEvents(&Config{Progress: func(Progress) {}}, 9, 0)
	require.NotPanics(t, func() { e.guarded(func() { panic("odd") }) })
	require.Equal(t, trouble{panics: 1}, e.trouble)
}

// A listener that ends its goroutine is counted, and the goroutine ends.
func TestListenerEndsItsGoroutine(t *testing.T) {
	e := newEvents(&Config{Progress: func(Progress) {}}, 9, 0)
	ended, went := make(chan struct{}), false
	go func() {
		defer close(ended)
		e.guarded(runtime.Goexit)
		went = true
	}()
	<-ended
	require.False(t, went)
	require.Equal(t, trouble{exits: 1}, e.trouble)
	require.True(t, e.mu.TryLock(), "it is free again")
}

// When a call of a listener begins, that is noted for who waits for it; once delivery is given up, none begins.
func TestBeginningOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvents(&Config{Progress: func(Progress) {}}, 9, clock.Now())
		time.Sleep(time.Second)
		called := 0
		e.guarded(func() { called++; require.EqualValues(t, clock.Now(), e.teller.began.Load()) })
		require.Equal(t, 1, called)
		e.teller.given = true
		e.guarded(func() { called++ })
		require.Equal(t, 1, called)
		require.Equal(t, trouble{}, e.trouble)
	})
}
