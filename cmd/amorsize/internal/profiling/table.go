package profiling

import (
	"fmt"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Text is the table for a person.
func (t *Table) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%9s %9s %6s %10s %8s %11s %9s %6s %9s\n", t.Target, "workers", "wall", "", "items/s", "speedup", "efficiency", "p95", "CPU", "memory")
	for _, r := range t.Rows {
		mark, note := " ", ""
		switch {
		case r.Batch > 1:
			note = fmt.Sprintf("   %d items per job", r.Batch)
		case r.Workers == t.Knee:
			mark, note = ">", "   knee: within 5 % of the best with the fewest workers"
		case r.Workers > t.Best && r.Speedup < 0.95*t.best():
			note = "   slower again"
		}
		if r.Failed > 0 {
			note += fmt.Sprintf("   %d failed", r.Failed)
		}
		memory := "-"
		if r.Memory > 0 {
			memory = jobs.Bytes(r.Memory)
		}
		fmt.Fprintf(&b, "%s %7d %9s ±%3.0f %% %10s %8.2f %9.0f %% %9s %4.0f %% %9s%s\n", mark, r.Workers, jobs.ShortSeconds(r.Wall), 100*r.Spread,
			number(r.Rate), r.Speedup, 100*r.Efficiency, jobs.ShortSeconds(r.P95), 100*r.CPU, memory, note)
	}
	if t.USL != nil {
		fmt.Fprintf(&b, "model: USL sigma %.3g, kappa %.3g (R² %.2f)", t.USL.Sigma, t.USL.Kappa, t.USL.R2)
		if peak := t.USL.Peak(); peak > 0 && peak < 100_000 {
			b.WriteString("; peak at " + ui.Plural(peak, "worker"))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "profile recommends %d: %.1f %% slower than the best, which is %d\n", t.Predicted, 100*t.Off, t.Best)
	return b.String()
}

func (t *Table) best() (speedup float64) {
	for _, r := range t.Rows {
		if r.Workers == t.Best && r.Batch <= 1 {
			speedup = r.Speedup
		}
	}
	return speedup
}

func number(x float64) string {
	switch {
	case x >= 1000:
		return jobs.Count(int(x + 0.5))
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}
