package output

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns an output, and what it has written to standard output and standard error.
func open(t *testing.T, cfg Config) (o *Output, written func() (out, errs string)) {
	t.Helper()
	plain, written := outputs(t)
	o, err := New(plain.term, cfg, template.Scope{})
	require.NoError(t, err)
	t.Cleanup(o.Close)
	return o, written
}

// ended is a job that wrote that.
func ended(n int, item, out, errs string) *jobs.Job {
	j := &jobs.Job{Batch: []items.Item{items.Of(n, item)}, Place: n - 1}
	j.Out, j.Outcome.Err = process.Bytes([]byte(out)), process.Bytes([]byte(errs))
	return j
}

func TestToStandardOutput(t *testing.T) {
	o, written := open(t, Config{})
	require.Nil(t, o.Names())
	require.NoError(t, o.Over(ended(1, "a", "one\n", "")))
	require.NoError(t, o.Over(ended(2, "b", "", "")))
	require.NoError(t, o.Over(ended(3, "c", "no newline", "warning\n")))
	require.Empty(t, o.File(ended(1, "a", "", "")))
	out, errs := written()
	require.Equal(t, "one\nno newline", out)
	require.Equal(t, "warning\n", errs)
}

func TestDrop(t *testing.T) {
	o, written := open(t, Config{Drop: true, Results: t.TempDir()})
	require.NoError(t, o.Over(ended(1, "a", "one\n", "warning\n")))
	require.Empty(t, o.File(ended(1, "a", "", "")))
	out, errs := written()
	require.Empty(t, out+errs)
}

// Every line has a tag, also where a line is longer than what is tagged at a time.
func TestTag(t *testing.T) {
	o, written := open(t, Config{Tag: `{}:\t`})
	long := strings.Repeat("x", 3*tagBlock)
	require.NoError(t, o.Over(ended(1, "a", "one\n\ntwo", "e\n")))
	require.NoError(t, o.Over(ended(2, "b", long+"\n"+long+"\nlast\n", "")))
	out, errs := written()
	require.True(t, "a:\tone\na:\t\na:\ttwob:\t"+long+"\nb:\t"+long+"\nb:\tlast\n" == out)
	require.Equal(t, "a:\te\n", errs)

	o, written = open(t, Config{})
	require.NoError(t, o.Over(ended(1, "a", "1", "2")))
	out, errs = written()
	require.Equal(t, "12", out+errs, "a byte is something")

	o, written = open(t, Config{Tag: "{%}:"})
	require.NoError(t, o.Over(ended(1, "a", "one\n", "")))
	out, _ = written()
	require.Equal(t, "0:one\n", out, "what is passed on at the end is of no slot")

	_, err := New(o.term, Config{Tag: "{2}"}, template.Scope{Strict: true})
	require.Equal(t, exit.BadUsage, statusOf(t, err))
}

func statusOf(t *testing.T, err error) int {
	t.Helper()
	var status *exit.Error
	require.ErrorAs(t, err, &status)
	return status.Code
}

func TestLines(t *testing.T) {
	o, written := open(t, Config{Tag: "{%}> "})
	pass, err := o.Lines(ended(1, "a", "", ""), 4)
	require.NoError(t, err)
	require.NoError(t, pass([]byte("one\n"), false))
	require.NoError(t, pass([]byte("two\n"), true))
	out, errs := written()
	require.Equal(t, "4> one\n", out)
	require.Equal(t, "4> two\n", errs)
}

func TestLinesInOrder(t *testing.T) {
	o, written := open(t, Config{InOrder: true, Tag: "{} "})
	first, second := ended(1, "a", "", ""), ended(2, "b", "", "")
	for _, j := range []*jobs.Job{second, first} {
		pass, err := o.Lines(j, 0)
		require.NoError(t, err)
		require.NoError(t, pass([]byte("says\n"), false))
	}
	require.NoError(t, o.Over(first))
	require.NoError(t, o.Over(second))
	out, _ := written()
	require.Equal(t, "a says\nb says\n", out)
}

// What can't be written is the error, for lines and for jobs. There is none where nothing was to be written.
func TestClosed(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "tagged": {Tag: "{}:"}, "in order": {InOrder: true}} {
		t.Run(name, func(t *testing.T) {
			closed, err := os.Create(filepath.Join(t.TempDir(), "f"))
			require.NoError(t, err)
			require.NoError(t, closed.Close())
			o, err := New(ui.NewTerminal(closed, closed, ui.ColorNever), cfg, template.Scope{})
			require.NoError(t, err)
			t.Cleanup(o.Close)
			require.NoError(t, o.Over(ended(1, "a", "", "")))
			require.ErrorIs(t, o.Over(ended(2, "b", "one\n", "")), os.ErrClosed)
			require.ErrorIs(t, o.Over(ended(3, "c", "", "warning\n")), os.ErrClosed)
			pass, err := o.Lines(ended(4, "d", "", ""), 0)
			require.NoError(t, err)
			require.ErrorIs(t, pass([]byte("x\n"), false), os.ErrClosed)
			if cfg.InOrder {
				require.ErrorIs(t, o.Over(ended(4, "d", "", "")), os.ErrClosed, "lines that are lost fail their job")
			}
		})
	}
}

// Results are files; what a job wrote to standard error is beside its result, and goes when
// the job has nothing to say there the next time.
func TestToFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	o, written := open(t, Config{Results: dir})
	require.NoError(t, o.Names().Claim(items.Of(1, "a")))
	require.NoError(t, o.Over(ended(1, "a", "one\n", "warning\n")))
	name := filepath.Join(dir, "1.out")
	require.Equal(t, name, o.File(ended(1, "a", "", "")))
	read := func(name string) string {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(raw)
	}
	require.Equal(t, "one\n", read(name))
	require.Equal(t, "warning\n", read(filepath.Join(dir, "1.err")))
	require.NoError(t, o.Over(ended(1, "a", "again\n", "")))
	require.Equal(t, "again\n", read(name))
	require.NoFileExists(t, filepath.Join(dir, "1.err"))
	require.NoError(t, o.Over(ended(2, "b", "two\n", "")), "there was no earlier attempt")
	out, errs := written()
	require.Empty(t, out+errs)

	other := filepath.Join(dir, "3.err")
	require.NoError(t, os.Mkdir(other, 0o700))
	require.NoError(t, o.Over(ended(3, "c", "three\n", "")))
	require.DirExists(t, other, "what can't be of an earlier attempt stays")
}

func TestToFilesFails(t *testing.T) {
	dir := t.TempDir()
	o, _ := open(t, Config{Results: filepath.Join(dir, "{}", "x")})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	require.Error(t, o.Over(ended(1, "a", "one\n", "")), "a file is where the directory should be")
	_, err := New(o.term, Config{Results: filepath.Join(dir, "a", "b")}, template.Scope{})
	require.Equal(t, exit.BadUsage, statusOf(t, err))
}
