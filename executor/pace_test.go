package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// followed is a pace that was followed for so long, at ten items a second.
func followed(seconds int) (p pace) {
	for i := range seconds {
		p.follow(time.Duration(i+1)*time.Second, 10*(i+1), false)
	}
	return p
}

// At first the pace is the mean of all that was seen, whatever the parts that it is followed in.
func TestPaceIsTheMeanAtFirst(t *testing.T) {
	p := pace{at: time.Minute, completed: 5}
	p.follow(time.Minute+time.Second, 15, false)
	require.InDelta(t, 10, p.rate, 1e-9)
	p.follow(time.Minute+3*time.Second, 65, false)
	require.InDelta(t, 20, p.rate, 1e-9)
	p.follow(time.Minute+4*time.Second, 85, false)
	require.InDelta(t, 20, p.rate, 1e-9)
	require.Equal(t, 4*time.Second, p.seen)
}

// Later what was seen before counts the less the longer ago it was, whatever the parts that it is followed in.
func TestPaceForgets(t *testing.T) {
	at, items := 1000*time.Second, 10000
	p := followed(1000)
	require.InDelta(t, 10, p.rate, 1e-9)
	p.follow(at+paceMemory, items, false)
	require.InDelta(t, 10/math.E, p.rate, 1e-9)
	parts := followed(1000)
	for i := range 5 {
		parts.follow(at+time.Duration(i+1)*paceMemory/5, items, false)
	}
	require.InDelta(t, 10/math.E, parts.rate, 1e-9)
}

// What is done in a pause says nothing of the pace, nor does a look at the same time, or one that another has overtaken.
func TestPaceLeavesOutPauses(t *testing.T) {
	p := followed(3)
	want := p
	p.follow(3*time.Second, 99, false)
	p.follow(2*time.Second, 99, false)
	require.Equal(t, want, p)
	p.follow(10*time.Second, 50, true)
	want.at, want.completed = 10*time.Second, 50
	require.Equal(t, want, p)
	p.follow(11*time.Second, 60, false)
	require.InDelta(t, 10, p.rate, 1e-9)
	require.Equal(t, 4*time.Second, p.seen)
}

// The shortest time there is counts as well.
func TestPaceOfANanosecond(t *testing.T) {
	var p pace
	p.follow(1, 1, false)
	require.InDelta(t, 1e9, p.rate, 1)
}
