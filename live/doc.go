// Package live shows the runs of a process on a web page, while they run:
//
//	http.Handle("/amorsize/", live.Handler())
//
// For each run it shows how far it is, when it ends, what binds it now and, in words, what would
// change that; its limit, calls in flight, goodput and latency over time; the outcomes of its
// calls, which policy makes them wait, and the state of that policy. Runs that have ended are
// kept, up to a bound.
//
// The page needs no network except its own server, loads no script or style from elsewhere (a
// strict Content-Security-Policy enforces that), and changes nothing. It shows counts, names of
// runs, functions and policies, and reasons from this module. It shows no items, and no errors
// of functions, which may contain items, unless [Options] asks for errors. It has no login: the
// server must restrict access.
//
// Observing does not block runs: a page and its viewers cost a run less than a percent.
package live
