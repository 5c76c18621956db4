package lookback

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/journal"
)

// counted is a run of a log, with its records.
type counted struct {
	journal.Header
	ok, failed int
	tries      int
	took       float64   // of the latest item, since the start
	calls      []float64 // how long successful items took
}

// Runs writes the runs of a log (of the command, or of a program's journal), a line each, the oldest first. The
// error is one of usage, or of out.
func Runs(out io.Writer, path string) error {
	runs, err := runsOf(path)
	if err != nil {
		return err
	}
	w := table(out)
	for _, r := range runs {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d ok, %d failed in %s\t%s\n",
			r.Started.Format(time.DateTime), r.Command, r.ok, r.failed, jobs.ShortSeconds(r.took), summary.Brief(commandOf(r.Header), 60))
	}
	return w.Flush()
}

// runsOf reads the runs of a log. The error is one of usage.
func runsOf(path string) (runs []*counted, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, exit.Usage(err)
	}
	defer func() { _ = file.Close() }()
	_, err = journal.Read(file, func(line journal.Line) error {
		switch {
		case line.Type == "run":
			r := &counted{}
			runs = append(runs, r)
			return json.Unmarshal(line.Body, &r.Header)
		case line.Type == "item" && len(runs) > 0:
			return runs[len(runs)-1].count(line.Body)
		}
		return nil
	})
	if err != nil {
		return nil, exit.Usagef("%s: %w", path, err)
	}
	return runs, nil
}

// count takes the line of an item.
func (r *counted) count(body []byte) error {
	var e struct {
		OK    bool    `json:"ok"`
		Tries int     `json:"tries"`
		At    float64 `json:"at_s"`
		Took  float64 `json:"took_s"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil //nolint:nilerr // a damaged line is not an item
	}
	r.tries += e.Tries
	if r.took = max(r.took, e.At); e.OK {
		r.ok++
		r.calls = append(r.calls, e.Took)
	} else {
		r.failed++
	}
	return nil
}
