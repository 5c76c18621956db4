package executor

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pageOf is a report's page.
func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	return page.String()
}

// An error stopped the run if items were left, and not if they merely failed; that items are left needs no error.
func TestThePageSaysWhatStoppedARun(t *testing.T) {
	for name, c := range map[string]struct {
		succeeded, failed int
		err               error
		stopped           bool
	}{
		"items left":            {3, 1, errors.New("odd\nend"), true},
		"all left":              {0, 0, errors.New("odd\nend"), true},
		"all succeeded":         {5, 0, errors.New("odd\nend"), false},
		"some failed":           {3, 2, errors.New("odd\nend"), false},
		"all failed":            {0, 5, errors.New("odd\nend"), false},
		"left without an error": {3, 1, nil, false},
		"nothing went wrong":    {5, 0, nil, false},
	} {
		page := pageOf(t, &Report{Items: 5, Succeeded: c.succeeded, Failed: c.failed, Err: c.err, Started: time.Unix(1_800_000_000, 0)})
		if c.stopped {
			require.Contains(t, page, "stopped: odd<", name)
		} else {
			require.NotContains(t, page, "stopped: ", name)
		}
	}
}

// Warnings are of the run, so they are told though nothing has failed.
func TestWarningsOfThePage(t *testing.T) {
	for _, err := range []error{nil, errors.New("odd")} {
		page := pageOf(t, &Report{Items: 5, Succeeded: 5, Err: err, Warnings: []string{"the items <grow>", "and more"}})
		require.Contains(t, page, "<p>Warning: the items &lt;grow&gt;</p>\n<p>Warning: and more</p>")
	}
}

// Each chart is on the page if there is something to draw in it.
func TestChartsOfThePage(t *testing.T) {
	var r Report
	for _, title := range []string{"Latency histogram", "Scaling"} {
		require.NotContains(t, pageOf(t, &r), title)
	}
	r.Calls.Latency.Add(time.Second, 1)
	r.Timeline = []Moment{{At: time.Second, InFlight: 3, Rate: 5, Limit: 4, Latency: time.Second}, {At: 2 * time.Second, InFlight: 4, Rate: 6, Limit: 4, Latency: time.Second}}
	for _, title := range []string{"Limit and in flight", "Goodput", "Latency histogram", "Scaling"} {
		require.Contains(t, pageOf(t, &r), title)
	}
}
