// Package progress shows on a terminal how far runs are:
//
//	amorsize.Execute(fn, items, amorsize.WithProgress(progress.Bar(os.Stderr)))
//
// draws one line, and keeps it up to date: how many items are done, the rate, the calls in flight,
// retries and failures, a pause and its reason, and when the run ends, from the rate of the last
// seconds plus the rest of a pause. [Bars] shows several runs at once, a line each.
//
// If the output is no terminal but a file or a pipe, a plain line is written every ten seconds,
// and every thirty after the first minute. Colors are used on a terminal, unless NO_COLOR is set
// (no-color.org). The width is read each time, since a window may change its size.
//
// [Line] is the line itself, [Fit] and [Wrap] fit texts into a window. They are for programs that
// draw their own display, as the command amorsize does.
package progress
