// Package live shows the runs of a process on a web page, while they go on:
//
//	http.Handle("/amorsize/", live.Handler())
//
// It tells of each run how far it is, when it ends, what binds it now and, in words, what would
// change that; its limit, calls in flight, goodput and latency over time; what became of its
// calls, which policy makes them wait, and what state that is in. Runs that have ended are kept,
// up to a bound.
//
// The page needs no network but the server that it comes from, has no script or style of another
// one (a strict Content-Security-Policy sees to that), and changes nothing. It shows counts,
// names of runs, functions and policies, and reasons of this module: of items, and of the errors
// of functions, which may have items in them, nothing, unless [Options] asks for the latter. Who
// may see it is for the server to say: it has no login.
//
// Runs are observed off their path: a page, and who looks at it, cost a run less than a percent.
package live
