package request_test

import (
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
)

// noRoom has no further file be made.
func noRoom(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
}

// sized is a server whose answers are as long as their paths say.
func sized(t *testing.T) (url string) {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Path[1:])
		_, _ = w.Write(make([]byte, size))
	})
}

// ask makes the request of an item, and lets its result go.
func ask(t *testing.T, r *request.Runner, item string) error {
	t.Helper()
	j := &jobs.Job{Batch: []items.Item{items.Of(1, item)}}
	defer j.Release()
	return r.Attempt(t.Context(), j, 0)
}

// An answer that is not kept in memory takes a file, which goes to the next one: how many files are open depends on
// how many requests are, and not on how many items there are.
func TestAnswersTakeFilesOver(t *testing.T) {
	const lineOfBatch = `{"custom_id":"a","url":"/10000","body":{}}`
	url := sized(t)
	for name, c := range map[string]struct {
		cfg         request.Config
		first, then string
		text        string // of the error
	}{
		"a body":           {request.Config{URL: url + "/{}"}, "10000", "10000", ""},
		"a status":         {request.Config{URL: url + "/{}", Form: request.Status}, "10000", "10000", ""},
		"the largest line": {request.Config{URL: url + "/{}", Form: request.JSONL}, "10000", "65536", ""},
		"a larger line":    {request.Config{URL: url + "/{}", Form: request.JSONL}, "65537", "65537", ""},
		"a batch's line":   {request.Config{URL: url, Batch: true}, lineOfBatch, lineOfBatch, ""},
		"too large a body": {request.Config{URL: url + "/{}", MaxBody: 5000}, "10000", "10000", "larger than --max-body"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runner(t, c.cfg, request.Surroundings{})
			check := func(err error) {
				if c.text == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, c.text)
			}
			check(ask(t, r, c.first))
			noRoom(t)
			check(ask(t, r, c.then))
		})
	}
}

// A short answer is kept in memory in every form, so it needs no file, and no room for one.
func TestShortAnswersTakeNoFile(t *testing.T) {
	url := sized(t)
	noRoom(t)
	for _, form := range []request.Form{request.Body, request.Status, request.JSONL} {
		require.NoError(t, ask(t, runner(t, request.Config{URL: url + "/{}", Form: form}, request.Surroundings{}), "4096"), form)
	}
}

// An answer whose line can't be kept fails, and gives the file of its body back.
func TestAnswersWithoutRoomGiveTheirFilesBack(t *testing.T) {
	r := runner(t, request.Config{URL: sized(t) + "/{}", Form: request.JSONL}, request.Surroundings{})
	require.NoError(t, ask(t, r, "10000"))
	noRoom(t)
	var full *process.OutputError
	require.ErrorAs(t, ask(t, r, "65537"), &full, "its line needs a second file")
	require.NoError(t, ask(t, r, "10000"))
}
