package process

// FileSlots returns how many commands the limit on open files allows at a time if their number is measured: the
// same number of results waits to be passed on, and each holds files, too. 0 is no limit.
func FileSlots() int {
	limit := OpenFiles()
	if limit == 0 {
		return 0
	}
	return max(1, (limit-64)/8)
}
