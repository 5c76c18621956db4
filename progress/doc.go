// Package progress shows on a terminal how far runs are:
//
//	amorsize.Execute(fn, items, amorsize.WithProgress(progress.Bar(os.Stderr)))
//
// draws one line, and keeps it up to date: how many items are done, the rate, the calls in flight,
// retries and failures, a pause and its reason, and when the run ends, by the rate of the last
// seconds and with what is left of a pause. [Bars] shows several runs at once, a line each.
//
// Where nobody watches, as in a file or a pipe, a plain line is written every ten seconds, and
// every thirty after the first minute. Colors are used on a terminal, unless NO_COLOR is set
// (no-color.org). The width is asked for each time: a window may change its size.
//
// [Line] is the line itself, [Fit] and [Wrap] bring texts into a window; they are for who draws
// their own, as the command amorsize does.
package progress
