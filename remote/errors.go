package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// Errors for [errors.Is].
var (
	ErrConfig     = errors.New("remote: invalid setting")
	ErrNoRun      = store.ErrNoRun
	ErrVersion    = store.ErrVersion
	ErrURL        = store.ErrURL
	ErrOtherItems = errors.New("the run has other items")
	ErrOtherTypes = errors.New("the run's function has other types")
	ErrCanceled   = errors.New("the run was canceled")
	ErrFailed     = errors.New("the item failed")
	ErrTooLarge   = errors.New("too large")
)

// ConfigError is an invalid setting: it is [ErrConfig].
type ConfigError struct {
	Field string
	Value any
	Want  string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("remote: %s is %v: it must be %s", e.Field, e.Value, e.Want)
}

// Unwrap returns [ErrConfig].
func (e *ConfigError) Unwrap() error { return ErrConfig }

// RunError is the reason why an operation on a run was not done.
type RunError struct {
	Run string
	Err error
}

func (e *RunError) Error() string { return fmt.Sprintf("remote: run %s: %v", e.Run, e.Err) }

// Unwrap returns the cause.
func (e *RunError) Unwrap() error { return e.Err }

// ItemError is an item that failed on a worker, after all attempts that the function's policies make: it is
// [ErrFailed]. It has only the text of the error, since errors do not travel.
type ItemError struct {
	Run      string
	Index    int
	Attempts int
	Message  string
}

func (e *ItemError) Error() string {
	return fmt.Sprintf("remote: run %s: item %d: %s", e.Run, e.Index, e.Message)
}

// Unwrap returns [ErrFailed].
func (e *ItemError) Unwrap() error { return ErrFailed }

// failed adds what was tried.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("remote: %s: %w", what, err)
}

// quiet is a logger for River that passes warnings and errors only, not its start.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// lasting says that another attempt would not help.
func lasting(err error) bool {
	for _, known := range []error{store.ErrNoRun, store.ErrCursor, store.ErrVersion, store.ErrURL, ErrConfig} {
		if errors.Is(err, known) {
			return true
		}
	}
	return store.Lasting(err)
}
