// Package lookback shows earlier runs and measurements: entries of the history, and the report of a log.
package lookback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// List writes the entries of the history, the oldest first.
func List(out io.Writer) error {
	all, err := history.List()
	if err != nil {
		return err
	}
	w := table(out)
	for _, e := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.ID, e.Cmd, headline(e), summary.Brief(e.What, 60))
	}
	return w.Flush()
}

// table lines up columns two spaces apart.
func table(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// headline is the most important figure of an entry.
func headline(e history.Entry) string {
	var d struct {
		OK, Failed int
		Wall       float64 `json:"wall_s"`
		Workers    int
		Class      string
		Knee       int
	}
	if json.Unmarshal(e.Data, &d) != nil {
		return ""
	}
	switch e.Cmd {
	case "profile":
		return fmt.Sprintf("%s, %s, %s", jobs.ShortSeconds(d.Wall), d.Class, ui.Plural(d.Workers, "worker"))
	case "tune":
		return "knee at " + ui.Plural(d.Knee, "worker")
	}
	return fmt.Sprintf("%d ok, %d failed in %s", d.OK, d.Failed, jobs.ShortSeconds(d.Wall))
}

// Show writes an entry as JSON.
func Show(out io.Writer, id string) error {
	e, err := history.Find(id)
	if err != nil {
		return exit.Usage(err)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text.String())
	return err
}

// Diff writes the numbers of two entries beside each other, and other differences.
func Diff(out io.Writer, a, b string) error {
	first, err := history.Find(a)
	if err != nil {
		return exit.Usage(err)
	}
	second, err := history.Find(b)
	if err != nil {
		return exit.Usage(err)
	}
	if first.Cmd != second.Cmd {
		return exit.Usagef("%s is of %s, %s of %s: compare entries of the same command", first.ID, first.Cmd, second.ID, second.Cmd)
	}
	x, y := map[string]any{}, map[string]any{}
	if err := errors.Join(flatten("", first.Data, x), flatten("", second.Data, y)); err != nil {
		return err
	}
	w := table(out)
	_, _ = fmt.Fprintf(w, "\t%s\t%s\t\n", first.ID, second.ID)
	if first.What != second.What {
		_, _ = fmt.Fprintf(w, "what\t%s\t%s\t\n", summary.Brief(first.What, 40), summary.Brief(second.What, 40))
	}
	for _, key := range slices.Sorted(maps.Keys(x)) {
		left, right := x[key], y[key]
		if right == nil || fmt.Sprint(left) == fmt.Sprint(right) {
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", key, cell(left), cell(right), change(left, right))
	}
	return w.Flush()
}

// change is by how much a number has grown, "" if that can't be said.
func change(left, right any) string {
	l, first := left.(float64)
	r, second := right.(float64)
	if !first || !second || l == 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", 100*(r/l-1))
}

func cell(v any) string {
	if x, ok := v.(float64); ok {
		return fmt.Sprintf("%.4g", x)
	}
	return summary.Brief(fmt.Sprint(v), 40)
}

// flatten puts the values of an object into one table, without its lists, whose elements have no counterparts.
func flatten(prefix string, raw json.RawMessage, into map[string]any) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	for key, value := range object {
		switch name := prefix + key; {
		case strings.HasPrefix(string(value), "{"):
			if err := flatten(name+".", value, into); err != nil {
				return err
			}
		case strings.HasPrefix(string(value), "["), key == "started":
		default:
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return err
			}
			into[name] = v
		}
	}
	return nil
}
