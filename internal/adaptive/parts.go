package adaptive

// The parts of a [Controller]'s state.

// limits are the limit and what it may be.
type limits struct {
	floor, ceiling int     // bounds on the limit, at least 1
	first          int     // calls in flight to begin with
	limit          int     // in force
	previous       int     // the one before
	level          float64 // the limit before rounding, trials aside
	carry          float64 // what rounding has left over
	epoch          int64   // counts the changes
}

// conditions are how the calls are made, as of the latest Observe.
type conditions struct {
	saturated bool // more calls would find nothing: no core is idle, too few items are left, or there are too many yet
	held      bool // policies hold calls back
	open      bool // calls come as others please
}

// times are what is known of the time of a call.
type times struct {
	base    unloaded
	loaded  bool    // unloaded calls have never been seen for sure: the first ones came together
	suspect bool    // calls took less than unloaded ones, once
	noise   float64 // coefficient of variation of a call's time
	spread  float64 // calls that it is from
	latest  measurement
}

// steps are the steps up from a level that is held, and what they have shown.
type steps struct {
	usual  measurement // at the level: ln of in flight and time, fading
	odds   float64     // for calls not waiting for each other, by the steps up
	worse  float64     // odds for more calls achieving less, by the same
	rounds float64     // since the last step up
	pause  float64     // rounds until the next one
}
