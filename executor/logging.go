package executor

import (
	"context"
	"log/slog"
)

// The lines for the logger: one for each decision, at level Info, and for each change at level
// Debug. Their keys are stable, and have the unit in their name. No line contains an item; "err"
// is the function's own error.

// logEvent writes the line of a notice.
func logEvent(log *slog.Logger, n *notice) {
	e := &n.event
	switch e.Kind {
	case Planned:
		logPlan(log, n)
	case LimitChanged:
		log.Debug(n.message, "limit", e.Change.Workers, "reason", e.Change.Reason, "at_seconds", e.Change.At.Seconds())
	case PolicyChanged:
		state := e.Policy.State
		if state == "" {
			state = "ordinary"
		}
		log.Info(n.message, "kind", e.Policy.Kind, "name", e.Policy.Name, "state", state,
			"left_seconds", e.Policy.Left.Seconds(), "at_seconds", e.Elapsed.Seconds())
	case Synced:
		log.Debug(n.message, "records", e.Size, "took_seconds", e.Duration.Seconds())
	case Finished:
		r := e.Report
		log.Info(n.message, "items", r.Items, "succeeded", r.Succeeded, "failed", r.Failed, "known", r.Known,
			"elapsed_seconds", r.Elapsed.Seconds(), "predicted_seconds", r.PredictedDuration.Seconds(),
			"mean_workers", r.MeanWorkers, "bound", string(r.Bound), "retried", r.Calls.Retried,
			"overloaded", r.Calls.Failed.Overloaded, "err", r.Err)
	}
}

func logPlan(log *slog.Logger, n *notice) {
	if !log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	plan := n.event.Plan
	s := plan.Sample
	log.Info(n.message,
		"mode", plan.Mode.String(), "workers", plan.Workers, "max_workers", plan.MaxWorkers,
		"chunk_items", plan.ChunkSize, "workload", plan.Workload.String(),
		"sampled_items", s.Items, "item_seconds", s.ItemTime().Seconds(), "cpu_share", s.ComputeShare(),
		"predicted_seconds", plan.PredictedDuration.Seconds(), "predicted_speedup", plan.PredictedSpeedup,
		"reason", plan.Reason)
	for _, warning := range plan.Warnings {
		log.Info("plan warning", "warning", warning)
	}
}
