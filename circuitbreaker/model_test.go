package circuitbreaker_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
)

// model is a breaker that rejects, in the plainest way: seconds instead of
// instants, and a list of the calls that run.
type model struct {
	p         circuitbreaker.Policy
	state     circuitbreaker.State
	now       int
	reopens   int
	epoch     int // of the state
	failures  int
	successes int
	refuted   int
	bypassed  bool
	calls     map[int]*modelCall
}

type modelCall struct {
	epoch, ends int
	probe       bool
}

func (m *model) turn(s circuitbreaker.State) {
	m.state = s
	m.epoch++
	m.successes, m.refuted, m.bypassed = 0, 0, false
}

func (m *model) pass(seconds int) {
	m.now += seconds
	m.settle()
}

func (m *model) settle() {
	if m.state == circuitbreaker.Open && m.now >= m.reopens {
		m.turn(circuitbreaker.HalfOpen)
	}
}

func (m *model) probes() int {
	n := 0
	for _, c := range m.calls {
		if c.probe && c.epoch == m.epoch && m.now < c.ends {
			n++
		}
	}
	return n
}

func (m *model) begin(id int) bool {
	m.settle()
	probe := m.state == circuitbreaker.HalfOpen
	if m.state == circuitbreaker.Open || probe && m.probes() >= m.p.HalfOpenProbes {
		return false
	}
	m.calls[id] = &modelCall{epoch: m.epoch, ends: m.now + int(m.p.ProbeTimeout/time.Second), probe: probe}
	return true
}

func (m *model) end(id int, failed, neutral bool) {
	m.settle()
	c := m.calls[id]
	delete(m.calls, id)
	if c.epoch != m.epoch || c.probe && m.now >= c.ends || neutral || m.bypassed {
		return
	}
	switch {
	case failed:
		m.failures++
		opens := m.failures >= m.p.FailureThreshold
		if c.probe {
			m.refuted++
			opens = m.p.ProbeFailureRate == 0 || float64(m.refuted) >= m.p.ProbeFailureRate*float64(m.p.SuccessThreshold)
		}
		if opens {
			m.turn(circuitbreaker.Open)
			m.reopens = m.now + int(m.p.OpenFor/time.Second)
		}
	case c.probe:
		if m.successes++; m.successes >= m.p.SuccessThreshold {
			m.turn(circuitbreaker.Closed)
			m.failures = 0
		}
	default:
		m.failures = 0
	}
}

// The breaker against its model: calls that begin and end in any order, with any
// outcome, and time that passes.
func FuzzBreaker(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(0), []byte{0, 1, 0, 2, 4, 40, 0, 1, 1, 2})
	f.Add(uint8(2), uint8(0), uint8(1), []byte{0, 0, 0, 0, 2, 0, 2, 0, 4, 20, 0, 0, 3, 0, 5, 0, 0, 1})
	f.Add(uint8(0), uint8(3+2*4), uint8(2), []byte{0, 0, 2, 0, 4, 15, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2, 0, 5, 253, 0, 0, 2, 0})
	f.Add(uint8(0), uint8(1), uint8(0), []byte{0, 0, 5, 254, 2, 0, 4, 15, 0, 0, 5, 255, 0, 0, 3, 0})
	f.Fuzz(func(t *testing.T, failures, successes, probes uint8, steps []byte) {
		if len(steps) > 300 {
			t.Skip("longer than tells more")
		}
		synctest.Test(t, func(t *testing.T) {
			p := circuitbreaker.Policy{
				FailureThreshold: 1 + int(failures%4), SuccessThreshold: 1 + int(successes%4), HalfOpenProbes: 1 + int(probes%3),
				ProbeFailureRate: float64(successes/4%5) / 4, OpenFor: 10 * time.Second, ProbeTimeout: 7 * time.Second,
			}
			b := circuitbreaker.MustNew(p)
			m := &model{p: p, calls: map[int]*modelCall{}}
			permits := map[int]*circuitbreaker.Permit{}
			cancels := map[int]func(){}
			var ids []int
			for i := 0; i+1 < len(steps); i += 2 {
				op, arg := steps[i]%6, int(steps[i+1])
				switch {
				case op == 0:
					ctx, cancel := context.WithCancel(t.Context())
					permit, err := b.Allow(ctx)
					require.Equal(t, m.begin(i), err == nil, "step %d", i)
					if err == nil {
						permits[i], cancels[i] = permit, cancel
						ids = append(ids, i)
					} else {
						require.ErrorIs(t, err, circuitbreaker.ErrOpen)
						cancel()
					}
				case op == 4:
					m.pass(arg % 16)
					time.Sleep(time.Duration(arg%16) * time.Second)
				case op == 5 && arg == 254:
					b.Isolate()
					m.turn(circuitbreaker.Open)
					m.reopens = math.MaxInt
				case op == 5 && arg == 253:
					b.Bypass()
					m.turn(circuitbreaker.Closed)
					m.failures, m.bypassed = 0, true
				case op == 5 && arg == 255:
					b.Reset()
					m.turn(circuitbreaker.Closed)
					m.failures = 0
				case len(ids) > 0:
					k := arg % len(ids)
					id := ids[k]
					ids = append(ids[:k:k], ids[k+1:]...)
					var err error
					switch op {
					case 2:
						err = errTest
					case 3:
						err = refused(0)
					case 5:
						err = errTest
						cancels[id]()
					}
					m.end(id, op == 2, op == 3 || op == 5)
					permits[id].Done(err)
					permits[id].Done(errTest)
					cancels[id]()
				}
				require.Equal(t, m.state, b.State(), "step %d", i)
				c := b.Counts()
				require.Equal(t, []int{m.failures, m.successes, m.probes()}, []int{c.Failures, c.Successes, c.Probes}, "step %d", i)
			}
			for _, cancel := range cancels {
				cancel()
			}
		})
	})
}
