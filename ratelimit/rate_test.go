package ratelimit

import (
	"math"
	"math/big"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRateIsTheSimplestFraction(t *testing.T) {
	for perSecond, want := range map[float64]rate{
		10:                   {1, 1e8},
		0.1:                  {1, 1e10},
		0.1 * 3:              {3, 1e10},
		1.0 / 3:              {1, 3e9},
		3:                    {3, 1e9},
		1.0 / 86400:          {1, 86400e9},
		1024:                 {2, 1953125},
		5000.0 / 3600:        {1, 72e7},
		1e10:                 {10, 1},
		9_876_543_210:        {987654321, 1e8},
		math.Nextafter(1, 2): {1, 1e9},
	} {
		assert.Equal(t, want, rateOf(perSecond), "%v per second", perSecond)
	}
}

func TestWhole(t *testing.T) {
	for _, c := range []struct {
		n     float64
		burst int64
		want  bool
	}{
		{1, 1, true}, {5, 5, true}, {6, 5, false}, {1.5, 5, false}, {0.5, 5, false}, {0, 5, false}, {-1, 5, false}, {math.NaN(), 5, false},
		{1<<53 - 1, math.MaxInt64, true}, {1 << 53, math.MaxInt64, false}, {math.Inf(1), math.MaxInt64, false},
	} {
		got, ok := whole(c.n, c.burst)
		require.Equal(t, c.want, ok, "%v of %d", c.n, c.burst)
		if ok {
			require.EqualValues(t, c.n, got)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		a, b uint64
		n    int
		want bool
	}{
		{3, 5, 4, true}, {3, 5, 3, false}, {4, 4, 4, false}, {1 << 30, 1 << 30, 61, true}, {1 << 30, 1 << 30, 60, false},
		{1 << 32, 1 << 32, 61, false}, {1 << 33, 1 << 33, 61, false}, {1 << 33, 1<<32 + 1, 61, false}, {0, 1 << 63, 1, true},
	} {
		require.Equal(t, c.want, fits(c.a, c.b, c.n), "%+v", c)
	}
}

func FuzzRate(f *testing.F) {
	for _, x := range []float64{MinRate, MaxRate, 0.1, 1.0 / 3, math.Pi, 1e9 + 0.5, 9_999_999_999.9, 1.0000001e-6} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, perSecond float64) {
		if validRate("", perSecond) != nil {
			t.Skip("no rate")
		}
		r := rateOf(perSecond)
		require.Less(t, r.ticks, uint64(1)<<34+1, "ticks")
		require.Less(t, r.token, uint64(1)<<63+1, "token")
		got := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(nanosPerSecond), new(big.Int).SetUint64(r.ticks)), new(big.Int).SetUint64(r.token))
		want := new(big.Rat).SetFloat64(perSecond)
		off, _ := got.Sub(got, want).Quo(got, want).Float64()
		require.LessOrEqual(t, math.Abs(off), 1.0001e-10)
	})
}

func FuzzAmount(f *testing.F) {
	for _, n := range []float64{1, 0.1, 1e-9, 1 << 43, 1<<43 + 0.5, 1 << 62, math.MaxInt64, 1e30, 0x1p95, 0x1p96, 0x1p106, 0x1p107, math.MaxFloat64, 2.5} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		if validCost(n) != nil {
			t.Skip("no cost")
		}
		// Rounded up to a multiple of 2^-20, or too large for 128 bits.
		exact, _ := new(big.Float).SetMantExp(big.NewFloat(n), fineBits).Int(nil)
		if new(big.Float).SetInt(exact).Cmp(new(big.Float).SetMantExp(big.NewFloat(n), fineBits)) < 0 {
			exact.Add(exact, big.NewInt(1))
		}
		got := amount(n)
		if exact.BitLen() > 127 {
			require.Equal(t, maxUint128, got)
			return
		}
		require.Equal(t, exact.String(), got.big().String())
	})
}

func FuzzUint128(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint64(3), uint64(4), uint64(5))
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(0), uint64(1), uint64(math.MaxUint64))
	f.Add(uint64(4), uint64(math.MaxUint64-3), uint64(4), uint64(math.MaxUint64-3), uint64(5)) // a quotient of 2^64, rounded up
	f.Add(uint64(1), uint64(math.MaxUint64), uint64(1), uint64(7), uint64(1)<<63+1)            // only the carry is too large
	f.Fuzz(func(t *testing.T, ah, al, bh, bl, m uint64) {
		a, b := uint128{ah, al}, uint128{bh, bl}
		x, y, k := a.big(), b.big(), new(big.Int).SetUint64(m)
		most := maxUint128.big()
		clipped := func(v *big.Int) string {
			if v.Cmp(most) > 0 {
				v = most
			}
			if v.Sign() < 0 {
				v = new(big.Int)
			}
			return v.String()
		}
		require.Equal(t, x.String(), fromBig(x).big().String())
		require.Equal(t, clipped(new(big.Int).Add(x, y)), a.plus(b).big().String())
		require.Equal(t, clipped(new(big.Int).Sub(x, y)), a.minus(b).big().String())
		require.Equal(t, clipped(new(big.Int).Mul(x, k)), a.times(m).big().String())
		require.Equal(t, x.Cmp(y) < 0, a.less(b))
		near, _ := new(big.Float).SetInt(x).Float64()
		require.InDelta(t, near, a.float(), near*1e-15)
		if m > 0 {
			up := new(big.Int).Add(x, new(big.Int).Sub(k, big.NewInt(1)))
			up.Div(up, k)
			if up.BitLen() > 64 {
				up.SetUint64(math.MaxUint64)
			}
			require.Equal(t, up.Uint64(), a.over(m))
		}
	})
}

// The arithmetic of the lock-free path and of the one under the lock, against a
// bucket of tokens in math/big: rates over 16 orders of magnitude, any burst,
// whole and fractional amounts.
func FuzzArithmetic(f *testing.F) {
	f.Add(10.0, int64(5), []byte{0, 1, 200, 30, 4, 0, 0, 90})
	f.Add(1.0/86400, int64(1), []byte{255, 3, 0, 1, 254, 200, 3, 3})
	f.Add(1e10, int64(1e10), []byte{0, 250, 1, 251, 2, 252, 3, 3})
	f.Add(math.Pi*1e6, int64(3), []byte{40, 1, 41, 2, 39, 3, 38, 4})
	f.Fuzz(func(t *testing.T, perSecond float64, burst int64, steps []byte) {
		if validRate("", perSecond) != nil {
			t.Skip("no rate")
		}
		r := rateOf(perSecond)
		if validBurst(burst, r) != nil || len(steps) > 200 {
			t.Skip("no burst at that rate, or longer than tells more")
		}
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: perSecond, BurstSize: 1})
			if l.change(rate{}, burst) != nil || int64(int(burst)) != burst {
				t.Skip("no burst at that rate")
			}
			l.Reset()
			tokens := new(big.Rat).SetInt64(burst)
			full := new(big.Rat).SetInt64(burst)
			perNano := new(big.Rat).SetFrac(new(big.Int).SetUint64(r.ticks), new(big.Int).SetUint64(r.token))
			for i := 0; i+1 < len(steps); i += 2 {
				// The time steps are near what a few tokens take, and a few nanoseconds.
				wait := time.Duration(float64(steps[i]>>2) / perSecond / 7 * 1e9)
				wait += time.Duration(steps[i] & 3)
				time.Sleep(wait)
				came := new(big.Rat).SetInt64(int64(wait))
				if tokens.Add(tokens, came.Mul(came, perNano)); tokens.Cmp(full) > 0 {
					tokens.Set(full)
				}
				n := float64(steps[i+1]%16) / 2
				switch {
				case n == 0:
					n = 1e-5
				case steps[i+1] > 240:
					n = float64(burst)
				}
				want := new(big.Rat).SetFrac(amount(n).big(), big.NewInt(1<<fineBits))
				allowed := tokens.Cmp(want) >= 0
				if allowed {
					tokens.Sub(tokens, want)
				}
				require.Equal(t, allowed, l.TryAcquireN(n), "step %d: %v tokens after %v", i/2, n, wait)
			}
			left, _ := tokens.Float64()
			require.InDelta(t, left, l.AvailableTokens(), 1e-9*float64(burst)+1e-9)
		})
	})
}

func TestSizeOfAnIdleLimiter(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the promise is for 64 bits")
	}
	assert.LessOrEqual(t, unsafe.Sizeof(Limiter{})+unsafe.Sizeof(bucket{}), uintptr(128))
}

// A word holds ticks for a limited time; a limiter works on after that.
func TestHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 9_876_543.21, BurstSize: 1})
		first := l.bucket.Load()
		require.Positive(t, first.horizon)
		time.Sleep(time.Duration(first.horizon))
		assert.True(t, l.TryAcquire())
		assert.False(t, l.TryAcquire())
		assert.NotSame(t, first, l.bucket.Load(), "epoch moved")
		assert.Equal(t, int64(held), first.word.Load(), "nobody takes of the old one")
		time.Sleep(102 * time.Nanosecond) // a token takes 101.25 ns
		assert.True(t, l.TryAcquire())
		assert.GreaterOrEqual(t, l.bucket.Load().word.Load(), int64(0), "lock-free again")
	})
}

// A limiter that was made outside a bubble is of use in it, and the other way round.
func TestOtherClock(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 2})
	l.TryAcquire()
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			l.TryAcquire()
		}
		assert.False(t, l.TryAcquire())
		time.Sleep(time.Second)
		assert.True(t, l.TryAcquire())
	})
	assert.True(t, l.TryAcquire())
}

// Ten million tokens, over a month, cost what so many tokens take, to the last one.
func TestNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 3, BurstSize: 1})
		require.NoError(t, l.Acquire(t.Context()))
		start := time.Now()
		for range 10 { // a million tokens at a time, as grants in line would
			b, now := l.lock()
			for range 1_000_000 {
				l.tat = l.tat.plus(amount(1).times(b.token))
			}
			l.unlock(b, now)
		}
		require.NoError(t, l.Acquire(t.Context()))
		// 10^7 and one tokens at 3 per second, rounded up to a nanosecond.
		assert.Equal(t, 3_333_333_666_666_667*time.Nanosecond, time.Since(start))
	})
}
