package profiling

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// A function that is not built again has no verdict of the race detector, and why.
func TestCheckRaceFails(t *testing.T) {
	f := &Functions{Batch: 1}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := f.CheckRace(ctx, &gofunc.Function{Package: new(gofunc.Package)}, "", []items.Item{items.Of(1, "1")}, time.Second)
	require.False(t, r.Found)
	require.NotEmpty(t, r.Why)
	require.Equal(t, "first", firstLine("\n first\nsecond\n"))
}

// loaded returns a function of one item, in a module of its own. Wherever the tests run, the race detector is there
// to compile it, but no place to put a program.
func loaded(t *testing.T) *gofunc.Function {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("go.mod", []byte("module example.com/calc\n\ngo 1.21\n"), 0o600))
	require.NoError(t, os.WriteFile("calc.go", []byte("package calc\n\nfunc Twice(n int) int { return 2 * n }\n"), 0o600))
	for name, value := range map[string]string{"GOOS": "linux", "GOARCH": "amd64", "CGO_ENABLED": "1", "GOFLAGS": "", "GOWORK": "off", "GOTMPDIR": t.TempDir()} {
		t.Setenv(name, value)
	}
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(dir, "none"))
	}
	p, err := gofunc.Load(t.Context(), gofunc.Target{Package: ".", Expr: "Twice"}, gofunc.Options{})
	require.NoError(t, err)
	fn, err := p.Function(false)
	require.NoError(t, err)
	return fn
}

// The function is loaded as it was: for items, or for batches of them.
func TestCheckRaceLoads(t *testing.T) {
	fn := loaded(t)
	for batch, why := range map[int]string{
		1: "it can't be built with -race: ",
		2: "with --batch it has to take a slice of items",
	} {
		r := (&Functions{Batch: batch}).CheckRace(t.Context(), fn, "", list(1), time.Second)
		require.False(t, r.Found)
		require.Contains(t, r.Why, why)
	}
}

// detector is a function that was built with the race detector, and keeps how it was run.
type detector struct {
	run     gofunc.Run
	ctx     context.Context
	verdict gofunc.Race
	err     error
	closed  bool
}

func (d *detector) CheckRace(ctx context.Context, run gofunc.Run) (gofunc.Race, error) {
	d.ctx, d.run = ctx, run
	return d.verdict, d.err
}

func (d *detector) Close() { d.closed = true }

// Some of the items are called by several workers, for a time that the budget extends. Nothing is left of it then.
func TestRace(t *testing.T) {
	for name, c := range map[string]struct {
		items, called int
		verdict       gofunc.Race
		err           error
		want          Race
	}{
		"a race":      {300, 200, gofunc.Race{Found: true, Text: "write at calc.go:3"}, nil, Race{Found: true, Text: "write at calc.go:3"}},
		"none":        {199, 199, gofunc.Race{}, nil, Race{}},
		"not in time": {1, 1, gofunc.Race{}, context.DeadlineExceeded, Race{Why: "it took too long"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &detector{verdict: c.verdict, err: c.err}
				got := (&Functions{Batch: 3}).race(t.Context(), d, list(c.items), 2*time.Second)
				require.Equal(t, &c.want, got)
				require.Equal(t, gofunc.Run{Items: list(c.called), Batch: 3, Workers: 4}, d.run)
				until, _ := d.ctx.Deadline()
				require.Equal(t, 30*time.Second, time.Until(until), "five times the budget, and 20 s")
				require.ErrorIs(t, d.ctx.Err(), context.Canceled, "what waited for that time does so no longer")
				require.True(t, d.closed)
			})
		})
	}
}
