package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func newHistory() *cobra.Command {
	c := &cobra.Command{
		Use:   "history",
		Short: "What was measured before: list, show, diff, rm",
		Long: `What was measured before. The latest 200 runs, profiles and tables are kept in
$AMORSIZE_HISTORY, by default in ~/.local/state/amorsize/history; AMORSIZE_HISTORY=off
keeps none. An entry is named by its id, the beginning of it, or -1 for the latest,
-2 for the one before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	list := &cobra.Command{
		Use: "list", Short: "List the entries, the oldest first", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return historyList() },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show an entry", Args: cobra.ExactArgs(1), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return historyShow(args[0]) },
	}
	diff := &cobra.Command{
		Use: "diff ID ID", Short: "Compare two entries", Args: cobra.ExactArgs(2), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return historyDiff(args[0], args[1]) },
	}
	rm := &cobra.Command{
		Use: "rm ID...", Short: "Remove entries", Args: cobra.MinimumNArgs(1), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			var all error
			for _, id := range args {
				all = errors.Join(all, history.Remove(id))
			}
			if all != nil {
				return exit.Usage(all)
			}
			return nil
		},
	}
	c.AddCommand(list, show, diff, rm)
	return c
}

func historyList() error {
	all, err := history.List()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, e := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.ID, e.Cmd, headline(e), summary.Brief(e.What, 60))
	}
	return w.Flush()
}

// headline is the figure of an entry that matters most.
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

func historyShow(id string) error {
	e, err := history.Find(id)
	if err != nil {
		return exit.Usage(err)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, out.String())
	return err
}

// historyDiff compares the numbers of two entries, and what else differs.
func historyDiff(a, b string) error {
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
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "\t%s\t%s\t\n", first.ID, second.ID)
	if first.What != second.What {
		_, _ = fmt.Fprintf(w, "what\t%s\t%s\t\n", summary.Brief(first.What, 40), summary.Brief(second.What, 40))
	}
	keys := slices.Sorted(maps.Keys(x))
	for _, key := range keys {
		left, right := x[key], y[key]
		if right == nil || fmt.Sprint(left) == fmt.Sprint(right) {
			continue
		}
		change := ""
		if l, ok := left.(float64); ok && l != 0 {
			if r, ok := right.(float64); ok {
				change = fmt.Sprintf("%+.1f %%", 100*(r/l-1))
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", key, cell(left), cell(right), change)
	}
	return w.Flush()
}

func cell(v any) string {
	if x, ok := v.(float64); ok {
		return fmt.Sprintf("%.4g", x)
	}
	return summary.Brief(fmt.Sprint(v), 40)
}

// flatten puts the values of an object into one table, without its lists, which
// have no counterparts one by one.
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
