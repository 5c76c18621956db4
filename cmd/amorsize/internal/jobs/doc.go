// Package jobs runs items: it makes jobs of them, measures the first ones, makes
// the plan, and has the engine run the rest under the policies. What a job is,
// a command, a request or a call of a Go function, is the Attempt's business.
package jobs
