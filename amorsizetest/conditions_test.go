package amorsizetest_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/amorsizetest"
)

// Whatever may be set reaches the simulation, and comes back.
func TestConditionsAreSimulated(t *testing.T) {
	c := amorsizetest.Conditions{
		Slots: 1, Latency: amorsizetest.Constant(time.Second), Network: 2, Congestion: 3, Line: 4,
		Rate: 5, Burst: 6, RetryAfter: true, Refusal: 7, Outage: amorsizetest.Hanging,
	}
	set, simulated := reflect.ValueOf(c), reflect.ValueOf(c.Simulated())
	require.Equal(t, set.NumField(), simulated.NumField())
	for i := range set.NumField() {
		name := set.Type().Field(i).Name
		require.False(t, set.Field(i).IsZero(), "%s is not tested", name)
		require.Equal(t, name, simulated.Type().Field(i).Name)
		require.False(t, simulated.Field(i).IsZero(), name)
	}
	back := amorsizetest.Of(c.Simulated())
	require.Equal(t, c.Latency(nil), back.Latency(nil))
	c.Latency, back.Latency = nil, nil
	require.Equal(t, c, back)
}
