package jobs

import "github.com/amorsize/amorsize"

// ofItems returns the policies that depend on the job.
func (r *run) ofItems() (list []amorsize.Policy) {
	used := func(cost float64, _ error) float64 { return cost }
	if tokens := r.cfg.Set.Tokens; tokens != nil {
		list = append(list, amorsize.Cost(tokens, r.cfg.Estimate, used))
	}
	by := r.cfg.Set.ByKey
	if by == nil {
		return list
	}
	if by.Breakers != nil {
		list = append(list, amorsize.ByKey(by.Breakers, r.cfg.Key))
	}
	if by.Limiters != nil {
		list = append(list, amorsize.ByKey(by.Limiters, r.cfg.Key))
	}
	if by.Tokens != nil {
		list = append(list, amorsize.CostByKey(by.Tokens, r.cfg.Key, r.cfg.Estimate, used))
	}
	return list
}
