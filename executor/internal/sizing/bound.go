package sizing

// sizeBound is how many items a call may have by what failed. Whether a batch failed
// for its size or for one of its items can't be known: no item is run twice to find
// out. So a failure above the largest success bounds the next ones by the middle
// between the two; what speaks against it, successes, and much more so failures of
// smaller batches, lifts the bound in the end, more slowly each time that it comes
// back.
type sizeBound struct {
	largest  int // success
	failed   int // the smallest failure above it, 0 if there is none
	doubt    int // of failed
	patience int // the doubt that lifts it, 0 before anything failed
	trial    int // successes until another call may be larger than all that succeeded
}

const (
	trialPatience  = 8
	firstPatience  = 32
	failureCounts  = 16 // times as much as a success
	patienceGrowth = 4
)

func (s *sizeBound) success(items int) {
	if items > s.largest {
		s.largest, s.trial = items, 0
	}
	if s.largest >= s.failed {
		s.failed = 0
	}
	s.trial = max(0, s.trial-1)
	s.add(1)
}

func (s *sizeBound) failure(items int) {
	if items <= s.largest {
		s.add(failureCounts)
		return
	}
	s.trial = 0
	if s.failed == 0 || items < s.failed {
		s.failed, s.doubt = items, 0
		s.patience = max(s.patience, firstPatience)
	}
}

func (s *sizeBound) add(doubt int) {
	if s.failed == 0 {
		return
	}
	if s.doubt += doubt; s.doubt >= s.patience {
		s.failed, s.doubt = 0, 0
		s.patience *= patienceGrowth
	}
}

// within returns size, or what the bound allows. What is larger than all that
// succeeded is tried by one call at a time once something has failed.
func (s *sizeBound) within(size int) int {
	if size <= s.largest {
		return size
	}
	if s.patience == 0 {
		return min(size, s.largest*BatchGrowth)
	}
	upper := 2 * s.largest
	if s.failed > 0 {
		upper = (s.largest + s.failed) / 2
	}
	if s.trial > 0 || s.failed > 0 && s.failed-s.largest <= 1+s.largest/4 { // near enough
		return s.largest
	}
	s.trial = trialPatience
	return min(size, upper)
}
