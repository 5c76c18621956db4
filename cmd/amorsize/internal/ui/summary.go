package ui

import (
	"fmt"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/progress"
)

// shownFailures is how many failures are shown one by one.
const shownFailures = 5

// empty reports whether a run ended well and had no items.
func empty(s summary.Summary) bool {
	return s.Stopped == "" && s.Total <= 0 && s.OK+s.Failed+s.Skipped == 0
}

// Summary returns the outcome of a run, for a person. again is how to run the failed items again, empty if there
// is no way.
func (t *Terminal) Summary(s summary.Summary, again string) string {
	if empty(s) {
		return "done: no items: the input was empty"
	}
	var b strings.Builder
	head := "done"
	if s.Stopped != "" {
		head = "stopped (" + summary.Brief(secrets.Hide(s.Stopped), 300) + ")"
	}
	took := fmt.Sprintf("%s: %s in %s (%s)", head, Plural(s.OK+s.Failed, "item"), jobs.ShortSeconds(s.Wall), progress.PerSecond(s.PerSecond))
	parts := append([]string{took}, t.counts(s)...)
	b.WriteString(strings.Join(parts, " · ") + "\n")
	b.WriteString(t.Paint(Dim, "  "+details(s)) + "\n")
	b.WriteString(s.Usage.Table())
	for i, f := range s.Failures[:min(len(s.Failures), shownFailures)] {
		prefix := "          "
		if i == 0 {
			prefix = "  failed: "
		}
		b.WriteString(prefix + f.Line() + "\n")
	}
	if len(s.Failures) > shownFailures {
		b.WriteString("          " + reasons(s) + "\n")
	}
	if again != "" {
		b.WriteString("  again: " + again + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// counts says how many items ended in which way.
func (t *Terminal) counts(s summary.Summary) (parts []string) {
	parts = []string{jobs.Count(s.OK) + " ok"}
	failed := jobs.Count(s.Failed) + " failed"
	if s.Failed > 0 {
		failed = t.Paint(Red, failed)
	}
	parts = append(parts, failed)
	for _, c := range []struct {
		n    int
		what string
	}{{s.Retried, "retried"}, {s.Throttled, "throttled"}, {s.Skipped, "skipped (already done)"}} {
		if c.n > 0 {
			parts = append(parts, jobs.Count(c.n)+" "+c.what)
		}
	}
	if left := s.Total - s.Skipped - s.OK - s.Failed; left > 0 { // it is below 0 where the total is not known
		parts = append(parts, jobs.Count(left)+" left")
	}
	return parts
}

func details(s summary.Summary) string {
	parts := []string{fmt.Sprintf("slots %d (peak %d)", s.Plan.Workers, s.Peak.Workers)}
	if s.Job.Tries > 0 {
		parts = append(parts, fmt.Sprintf("job p50 %s p95 %s max %s", jobs.ShortSeconds(s.Job.P50), jobs.ShortSeconds(s.Job.P95), jobs.ShortSeconds(s.Job.Max)))
	}
	if s.Rate != nil {
		parts = append(parts, "waited for the rate limit "+jobs.ShortSeconds(s.Rate.Waited)+" in total")
	}
	if s.Breaker.Opened > 0 {
		parts = append(parts, fmt.Sprintf("breaker opened %d×, paused %s", s.Breaker.Opened, jobs.ShortSeconds(s.Breaker.Paused)))
	}
	if s.Job.CPU > 0 {
		parts = append(parts, "CPU "+jobs.ShortSeconds(s.Job.CPU))
	}
	if s.Peak.RSS > 0 {
		parts = append(parts, "memory up to "+jobs.Bytes(s.Peak.RSS))
	}
	return strings.Join(parts, " · ")
}

// reasons counts the failures by kind.
func reasons(s summary.Summary) string {
	var parts []string
	for _, r := range s.Reasons[:min(len(s.Reasons), 6)] {
		parts = append(parts, fmt.Sprintf("%s ×%s", r.Why, jobs.Count(r.Items)))
	}
	return "in total: " + strings.Join(parts, ", ")
}
