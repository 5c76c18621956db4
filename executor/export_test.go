package executor

// Helpers returns how many helpers all runs of the process have at present.
func Helpers() (computing, waiting int64) {
	return helpers.computing.Load(), helpers.waiting.Load()
}
