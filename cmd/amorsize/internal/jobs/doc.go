// Package jobs runs items: it makes jobs of them, measures the first ones, makes the plan, and runs the rest
// through the engine under the policies. The Attempt defines what a job is: a command, a request or a call of a Go
// function.
package jobs
