package ratelimit

import (
	"math"
	"math/bits"
)

// The range of rates, per second: one in 11.6 days to one in a tenth of a nanosecond.
const (
	MinRate = 1e-6
	MaxRate = 1e10
)

// rate is a number of tokens per nanosecond, as an exact fraction: ticks per
// nanosecond divided by ticks per token. A tick is the time unit in which both
// are whole numbers.
type rate struct{ ticks, token uint64 }

const nanosPerSecond = 1_000_000_000

// rateOf returns the rate of perSecond, which is within the range of rates: the
// simplest fraction within one part in 10^10, or itself if it is whole. So 0.1 is one in ten seconds and
// 1.0/3 one in three, which no float64 is, and nothing is rounded from here on.
//
// A fraction p/q within that range needs no q above 5·10^9 / max(1, perSecond): that bounds ticks by
// 2^34 and token by 2^63.
func rateOf(perSecond float64) rate {
	p, q := uint64(perSecond), uint64(1)
	if float64(p) != perSecond {
		p, q = simplest(perSecond*(1-1e-10), perSecond*(1+1e-10))
	}
	common := gcd(p, nanosPerSecond) // p and q have no common factor
	return rate{ticks: p / common, token: nanosPerSecond / common * q}
}

func (r rate) perSecond() float64 {
	return float64(r.ticks) * nanosPerSecond / float64(r.token)
}

// simplest returns the fraction p/q with the smallest q in [low, high], which are
// positive, by the continued fraction of both (the Stern-Brocot tree's path).
func simplest(low, high float64) (p, q uint64) {
	whole := math.Ceil(low)
	if whole <= high {
		return uint64(whole), 1
	}
	whole--
	// The reciprocal of the remaining interval has its ends swapped.
	p, q = simplest(1/(high-whole), 1/(low-whole))
	return uint64(whole)*p + q, p
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// fineBits is the binary digits of an amount after the point: amounts of tokens
// are rounded up to a multiple of 2^-20, about a millionth.
const fineBits = 20

// amount returns n tokens, n above 0, as a multiple of 2^-20.
func amount(n float64) uint128 {
	if n <= 1<<43 {
		return uint128{lo: uint64(math.Ceil(n * (1 << fineBits)))}
	}
	fraction, exponent := math.Frexp(n)
	shift := exponent - 53 + fineBits // at least 11
	if shift > 127-53 {
		return maxUint128
	}
	mantissa := uint128{lo: uint64(fraction * (1 << 53))}
	if shift < 64 {
		return mantissa.shifted(uint(shift))
	}
	return mantissa.shifted(63).shifted(uint(shift - 63))
}

// whole reports whether n is a whole number of tokens that the lock-free path
// can count, which is at most a bucket.
func whole(n float64, burst int64) (int64, bool) {
	if !(n >= 1 && n <= float64(burst) && n < 1<<53) {
		return 0, false
	}
	k := int64(n)
	return k, float64(k) == n
}

// fits reports whether a × b is below 2^n.
func fits(a, b uint64, n int) bool {
	hi, lo := bits.Mul64(a, b)
	return hi == 0 && lo>>n == 0
}
