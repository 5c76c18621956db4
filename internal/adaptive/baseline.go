package adaptive

import "math"

// unloaded estimates what a call takes when no call waits for another one: the
// base that Little's law multiplies with the throughput. It is a mean, not the
// least that was seen: one lucky call must not count for all.
type unloaded struct {
	mean   float64 // seconds, 0 if unknown
	weight float64 // calls that it is from

	// Moments of (ln in flight, ln time) over the latest windows, fading.
	w, x, y, xx, xy float64
	low             float64 // the least ln in flight of them
}

const (
	maxWeight = 400  // older calls fade
	fading    = 0.93 // of a window, from one to the next
	elsewhere = 1.5  // ln: so far from the others, a window says nothing about them
)

// reset forgets what was known before.
func (u *unloaded) reset(mean, weight float64) {
	*u = unloaded{mean: mean, weight: weight}
}

// forget drops what the latest windows were like.
func (u *unloaded) forget() { u.w, u.xx, u.xy = 0, 0, 0 }

// merge adds calls that were not kept waiting.
func (u *unloaded) merge(mean, calls float64) {
	u.weight = min(u.weight, maxWeight)
	u.mean = (u.mean*u.weight + mean*calls) / (u.weight + calls)
	u.weight += calls
}

// error returns the relative standard error of the mean where calls vary by noise.
func (u *unloaded) error(noise float64) float64 {
	return noise / math.Sqrt(max(1, u.weight))
}

// relearn looks at how the time of a call follows the calls in flight over the
// latest windows. If it does not, the time is the calls' own, and the mean is
// raised to it: too low a mean would lower the limit, which would lower the
// throughput, and so on down to nothing.
func (u *unloaded) relearn(m measurement, noise float64) {
	x, y := math.Log(m.inFlight), math.Log(m.time)
	if math.Abs(x-u.x) > elsewhere {
		u.forget()
	}
	if u.w == 0 {
		u.x, u.y, u.low = x, y, x
	}
	u.low = min(x, u.low+(1-fading)*(u.x-u.low))
	u.w = u.w*fading + m.calls
	dx, dy := x-u.x, y-u.y
	u.x += dx * m.calls / u.w
	u.y += dy * m.calls / u.w
	u.xx = u.xx*fading + m.calls*dx*(x-u.x)
	u.xy = u.xy*fading + m.calls*dx*(y-u.y)
	if u.xx <= 0 {
		return
	}
	slope, uncertain := max(-1, u.xy/u.xx), max(0.02, noise)/math.Sqrt(u.xx)
	if own := math.Exp(u.y + max(0, slope)*(u.low-u.x)); slope+uncertain < 0.5 && own > u.mean {
		u.mean, u.weight = own, max(5, min(u.weight, u.w/2))
	}
}
