package adaptive

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/queueing"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// aimd is a second law, to show what one takes: additive increase, multiplicative decrease
// (Chiu and Jain, 1989), as TCP Reno has it. A round of calls without a loss adds one, a
// loss halves, once for all calls that began before it. It knows nothing of latency, so it
// needs a service that refuses.
type aimd struct {
	limit, floor, ceiling int
	answered              int           // since the limit changed
	epoch                 int64         // changes of the limit
	halved                time.Duration // when a loss did that last
}

func (a *aimd) Limit() int   { return a.limit }
func (a *aimd) Epoch() int64 { return a.epoch }

func (a *aimd) Bound(_ time.Duration, floor, ceiling int) {
	a.floor, a.ceiling = floor, ceiling
	a.set(a.limit)
}

func (a *aimd) Done(time.Duration, Attempt) bool {
	if a.answered++; a.answered >= a.limit {
		a.set(a.limit + 1)
	}
	return false
}

func (a *aimd) Lose(now time.Duration, c Attempt, _ bool) {
	if c.Began >= a.halved {
		a.halved = now
		a.set(a.limit / 2)
	}
}

func (a *aimd) set(n int) {
	a.limit, a.answered = max(a.floor, min(n, a.ceiling)), 0
	a.epoch++
}

func (a *aimd) Observe(Conditions)                   {}
func (a *aimd) Review(time.Duration, []Attempt) bool { return false }
func (a *aimd) Silence(time.Duration)                {}
func (a *aimd) State() State                         { return State{} }
func (a *aimd) Reason() string                       { return "" }

// Where the service refuses beyond a short line, it does well. Where it keeps all who come,
// it lets the line grow without end, and the Controller does not.
func TestAIMD(t *testing.T) {
	service := func(line int) scenarios.Scenario {
		return scenarios.Scenario{Calls: 4000, Phases: []scenarios.Phase{{Conditions: queueing.Conditions{
			Slots: 16, Line: line, Latency: queueing.Lognormal(20*time.Millisecond, 0.5), Refusal: time.Millisecond,
		}}}}
	}
	for line, c := range map[int]struct{ share, inFlight float64 }{4: {0.9, 2}, 0: {0.9, 100}} {
		s := service(line)
		best := play(s, 1, fixed(16))
		got := play(s, 1, &aimd{limit: 16, floor: 1, ceiling: 1 << 14})
		t.Logf("line %d: goodput %.3f, lost %.3f, in flight %.1f", line, timeOf(best, 0).Seconds()/timeOf(got, 0).Seconds(), lostShare(got), meanInFlight(got)/16)
		require.GreaterOrEqual(t, timeOf(best, 0).Seconds()/timeOf(got, 0).Seconds(), c.share)
		require.LessOrEqual(t, meanInFlight(got)/16, c.inFlight)
	}
	endless := service(0)
	require.Less(t, meanInFlight(play(endless, 1, ours()))*1.5, meanInFlight(play(endless, 1, &aimd{limit: 16, floor: 1, ceiling: 1 << 14})))
}
