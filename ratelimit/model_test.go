package ratelimit

import (
	"context"
	"math"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// model is what a limiter is to do, in exact fractions and without any care for
// speed: a TAT, a list of those who wait, and the time that passes in steps.
type model struct {
	rate   rate
	burst  int64
	tat    *big.Rat // nanoseconds
	now    int64
	resume int64 // far in the past, where there was no pause
	// until when returned tokens are used up, less a bucket
	returned int64
	line     []*want
}

type want struct {
	id      int
	amount  *big.Rat // tokens
	reserve bool
	granted int64 // when, or -1
	due     int64 // when it could be
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func (m *model) cost(tokens *big.Rat) *big.Rat {
	return new(big.Rat).Mul(tokens, new(big.Rat).SetFrac(new(big.Int).SetUint64(m.rate.token), new(big.Int).SetUint64(m.rate.ticks)))
}

func (m *model) full() *big.Rat { return m.cost(rat(m.burst)) }

// due is the first whole nanosecond at which the head can be served.
func (m *model) due(amount *big.Rat) int64 {
	at := new(big.Rat).Add(m.tat, m.cost(amount))
	at.Sub(at, m.full())
	ns := new(big.Int).Div(at.Num(), at.Denom()).Int64()
	if !at.IsInt() {
		ns++
	}
	return max(ns, m.resume)
}

func (m *model) clip(at int64) {
	if m.tat.Cmp(rat(at)) < 0 {
		m.tat = rat(at)
	}
}

// serve serves all who are due, in turn, up to now.
func (m *model) serve() {
	for len(m.line) > 0 {
		head := m.line[0]
		due := m.due(head.amount)
		if due > m.now {
			return
		}
		m.tat = new(big.Rat).Add(m.tat, m.cost(head.amount))
		head.granted, head.due = m.now, due
		m.line = m.line[1:]
	}
}

// advance lets time pass, with everybody served when due.
func (m *model) advance(d int64) {
	end := m.now + d
	for len(m.line) > 0 {
		due := m.due(m.line[0].amount)
		if due > end {
			break
		}
		m.now = max(m.now, due)
		m.serve()
	}
	m.now = end
}

func (m *model) try(amount *big.Rat) bool {
	if len(m.line) > 0 || m.now < m.resume {
		return false
	}
	saved := m.tat
	m.clip(m.now)
	if m.due(amount) > m.now {
		m.tat = saved
		return false
	}
	m.tat = new(big.Rat).Add(m.tat, m.cost(amount))
	return true
}

func (m *model) enter(w *want) {
	w.granted = -1
	if m.try(w.amount) {
		w.granted, w.due = m.now, m.now
		return
	}
	if len(m.line) == 0 {
		m.clip(m.now)
	}
	m.line = append(m.line, w)
}

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func most(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

// giveBack gives tokens back of which it is not known whether they were taken just now:
// where somebody waits, a bucket at the most.
func (m *model) giveBack(amount *big.Rat) {
	cost := m.cost(amount)
	if len(m.line) > 0 {
		room := new(big.Rat).Sub(m.full(), rat(max(0, m.returned-m.now)))
		cost = least(m.room(cost), most(rat(0), room))
		ns, rest := new(big.Int).QuoRem(cost.Num(), cost.Denom(), new(big.Int))
		m.returned = max(m.returned, m.now) + ns.Int64() + int64(rest.Sign())
	}
	m.refund(cost)
}

// room is how much of a cost there is room for.
func (m *model) room(cost *big.Rat) *big.Rat {
	beyond := rat(0)
	if len(m.line) > 0 {
		beyond = most(beyond, new(big.Rat).Sub(m.cost(m.line[0].amount), m.full()))
	}
	debt := new(big.Rat).Sub(m.tat, new(big.Rat).Sub(rat(max(m.now, m.resume)), beyond))
	return least(cost, most(rat(0), debt))
}

func (m *model) refund(cost *big.Rat) {
	m.tat = new(big.Rat).Sub(m.tat, m.room(cost))
	m.serve()
}

func (m *model) cancel(w *want) {
	if w.granted >= 0 {
		if w.due == m.now {
			m.refund(m.cost(w.amount)) // it is known to have been taken now
		}
		return
	}
	for i, other := range m.line {
		if other == w {
			m.line = append(m.line[:i:i], m.line[i+1:]...)
			if i == 0 {
				m.clip(max(m.now, m.resume))
			}
			m.serve()
			return
		}
	}
}

func (m *model) change(r rate, burst int64) {
	at := max(m.now, m.resume)
	missing := new(big.Rat).Sub(m.tat, rat(at))
	if missing.Sign() < 0 && len(m.line) == 0 {
		missing = rat(0)
	}
	tokens := new(big.Rat).Quo(new(big.Rat).Sub(m.full(), missing), m.cost(rat(1)))
	m.rate, m.burst = r, burst
	debt := new(big.Rat).Sub(m.full(), m.cost(tokens))
	// Rounded up to a fine tick.
	fine := new(big.Rat).SetFrac(new(big.Int).Lsh(new(big.Int).SetUint64(r.ticks), fineBits), big.NewInt(1))
	ticks := new(big.Rat).Mul(debt, fine)
	up := new(big.Int).Add(ticks.Num(), new(big.Int).Sub(ticks.Denom(), big.NewInt(1)))
	debt = new(big.Rat).Quo(new(big.Rat).SetInt(up.Div(up, ticks.Denom())), fine)
	lowest := rat(0) // there is room for a burst, or for what the first one wants
	if len(m.line) > 0 {
		lowest = least(lowest, new(big.Rat).Sub(m.full(), m.cost(m.line[0].amount)))
	}
	debt = new(big.Rat).Set(most(debt, lowest))
	m.tat = debt.Add(debt, rat(at))
	m.serve()
}

func (m *model) pause(d int64) {
	if d <= 0 || m.now+d <= m.resume {
		return
	}
	m.resume = m.now + d
	empty := new(big.Rat).Add(rat(m.resume), m.full())
	if empty.Sub(empty, m.cost(rat(1))); m.tat.Cmp(empty) < 0 {
		m.tat = empty
	}
}

// bench runs a limiter beside its model.
type bench struct {
	*testing.T
	l       *Limiter
	m       *model
	start   time.Time
	rates   []float64
	wants   []*want
	mu      sync.Mutex
	granted map[int]int64
	cancels map[int]func()
}

func (b *bench) ns() int64 { return int64(time.Since(b.start)) }

func (b *bench) acquire(n float64, reserve bool) {
	w := &want{id: len(b.wants), amount: new(big.Rat).SetFrac(amount(n).big(), big.NewInt(1<<fineBits)), reserve: reserve}
	b.wants = append(b.wants, w)
	b.m.enter(w)
	if reserve {
		r, err := b.l.Reserve(n)
		require.NoError(b, err)
		b.cancels[w.id] = r.Cancel
		return
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.cancels[w.id] = cancel
	go func() {
		if err := b.l.AcquireN(ctx, n); err == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.granted[w.id] = b.ns()
		}
	}()
	synctest.Wait()
}

// step does what op says and checks that the limiter does the same.
func (b *bench) step(op, arg byte) {
	n := float64(arg%12)/3 + 1e-3
	switch op % 12 {
	case 0, 1, 2:
		b.acquire(n, false)
	case 3:
		b.acquire(n, true)
	case 4:
		d := time.Duration(float64(arg) * 1e9 / b.rates[0] / 8)
		b.m.advance(int64(d))
		time.Sleep(d)
	case 5:
		require.Equal(b, b.m.try(new(big.Rat).SetFrac(amount(n).big(), big.NewInt(1<<fineBits))), b.l.TryAcquireN(n), "try %v", n)
	case 6:
		if len(b.wants) > 0 {
			w := b.wants[int(arg)%len(b.wants)]
			if w.granted < 0 || w.reserve && b.cancels[w.id] != nil {
				b.m.cancel(w)
			}
			if b.cancels[w.id] != nil {
				b.cancels[w.id]()
				b.cancels[w.id] = nil
			}
		}
	case 7:
		perSecond := b.rates[int(arg)%len(b.rates)]
		b.m.change(rateOf(perSecond), b.m.burst)
		require.NoError(b, b.l.SetRate(perSecond))
	case 8:
		burst := 1 + int(arg)%7
		b.m.change(b.m.rate, int64(burst))
		require.NoError(b, b.l.SetBurst(burst))
	case 9:
		b.m.giveBack(new(big.Rat).SetFrac(amount(n).big(), big.NewInt(1<<fineBits)))
		require.NoError(b, b.l.Return(n))
	case 10:
		if len(b.m.line) == 0 {
			b.m.clip(b.m.now)
		}
		b.m.tat = new(big.Rat).Add(b.m.tat, b.m.cost(new(big.Rat).SetFrac(amount(n).big(), big.NewInt(1<<fineBits))))
		require.NoError(b, b.l.Debit(n))
	case 11:
		d := int64(float64(arg) * 1e9 / b.rates[0] / 4)
		b.m.pause(d)
		b.l.PauseFor(time.Duration(d))
	}
	synctest.Wait()
	b.check()
}

func (b *bench) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if q := b.l.line; q != nil {
		timed := 0
		for w := q.head; w != nil; w = w.next {
			if w.timed() {
				timed++
			}
		}
		require.Equal(b, timed, q.timed)
	}
	for _, w := range b.wants {
		if w.reserve {
			continue
		}
		at, ok := b.granted[w.id]
		require.Equal(b, w.granted >= 0, ok, "call %d at %d: to be granted at %d", w.id, b.m.now, w.granted)
		if ok {
			require.Equal(b, w.granted, at, "call %d", w.id)
		}
	}
}

// The limiter against its model, whatever comes after what.
func FuzzLimiter(f *testing.F) {
	f.Add(uint8(1), []byte{0, 9, 0, 9, 0, 9, 4, 30, 6, 1, 4, 200, 5, 3})
	f.Add(uint8(3), []byte{0, 30, 1, 11, 7, 1, 4, 20, 7, 2, 8, 3, 4, 250, 9, 7, 4, 20})
	f.Add(uint8(2), []byte{10, 11, 0, 3, 3, 8, 0, 3, 11, 40, 4, 255, 6, 1, 4, 255, 7, 3, 4, 255})
	f.Fuzz(func(t *testing.T, burst uint8, steps []byte) {
		if len(steps) > 120 {
			t.Skip("longer than tells more")
		}
		synctest.Test(t, func(t *testing.T) {
			rates := []float64{10, 1.0 / 7, 3, 999.9}
			b := &bench{
				T: t, start: time.Now(), rates: rates, granted: map[int]int64{}, cancels: map[int]func(){},
				l: MustNew(Policy{RequestsPerSecond: rates[0], BurstSize: 1 + int(burst%6)}),
				m: &model{rate: rateOf(rates[0]), burst: 1 + int64(burst%6), tat: rat(0), resume: math.MinInt64 / 2},
			}
			for i := 0; i+1 < len(steps); i += 2 {
				b.step(steps[i], steps[i+1])
			}
			for _, cancel := range b.cancels {
				if cancel != nil {
					cancel()
				}
			}
		})
	})
}
