package circuitbreaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

// audience is who runs the calls.
type audience struct{ states []string }

func (*audience) HoldBegins(waiting.Line) uint64 { return 0 }
func (*audience) HoldEnds(uint64)                {}
func (a *audience) Changed(p waiting.Policy) {
	state, left := p.State()
	a.states = append(a.states, p.Kind()+" "+p.Name()+": "+state+" "+left.String())
}

// Whoever runs the calls is told of a breaker by those that see it change, or refuse.
func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := &audience{}
		ctx := context.WithValue(t.Context(), waiting.Key{}, heard)
		b := MustNew(Policy{Name: "search", FailureThreshold: 2, SuccessThreshold: 1, OpenFor: time.Second})
		call := func(err error) { _ = b.Do(ctx, func(context.Context) error { return err }) }
		call(nil)
		call(errors.New("first"))
		require.Empty(t, heard.states)
		call(errors.New("second"))
		time.Sleep(time.Second / 4)
		call(nil)
		time.Sleep(time.Second)
		call(nil)
		call(nil)
		require.Equal(t, []string{
			"circuitbreaker search: open 1s", "circuitbreaker search: open 750ms", "circuitbreaker search:  0s",
		}, heard.states)
	})
}

// The breaker of a key speaks for that key only, so whoever runs the calls is not told that it is open.
func TestBreakerOfAKeyTellsNoState(t *testing.T) {
	k := MustNewKeyed[int](Policy{}, 0)
	require.NoError(t, k.Use(1, func(b *Breaker) error {
		b.Isolate()
		state, left := (*told)(b).State()
		require.Empty(t, state)
		require.Zero(t, left)
		return nil
	}))
}
