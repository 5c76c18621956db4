package jobs

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/progress"
)

// judge returns what the failure of a job means, and stops the run if it is fatal.
func (r *run) judge(j *Job, err error) error {
	seen := policies.Seen{Err: err, Status: j.Status}
	if r.cfg.Seen != nil {
		r.cfg.Seen(j, &seen)
	}
	err = r.cfg.Set.Judge(seen)
	if f, ok := policies.AsFailure(err); ok {
		f.Items = len(j.Batch)
		if f.Fatal {
			r.cfg.Control.Stopf(ErrFatal, "item %d: %v", j.First().N, f.Err)
		}
	}
	return err
}

// giveUp ends the run, and says how much is left if that is known.
func (r *run) giveUp() {
	left := r.state.Total.Load() - r.state.Done.Load()
	if left > 0 {
		r.cfg.Control.Stopf(ErrGaveUp, "%s left", progress.Plural(int(left), "item"))
		return
	}
	r.cfg.Control.Stop(ErrGaveUp)
}
