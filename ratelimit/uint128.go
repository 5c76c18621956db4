package ratelimit

import (
	"math"
	"math/bits"
)

// uint128 is an unsigned integer of 128 bits.
type uint128 struct{ hi, lo uint64 }

// maxUint128 stands for what does not fit.
var maxUint128 = uint128{math.MaxUint64, math.MaxUint64}

func (a uint128) isZero() bool { return a == uint128{} }

func (a uint128) less(b uint128) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

// plus returns a + b, or the largest value if that does not fit.
func (a uint128) plus(b uint128) uint128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, carry := bits.Add64(a.hi, b.hi, carry)
	if carry != 0 {
		return maxUint128
	}
	return uint128{hi, lo}
}

// minus returns a − b, or 0 if that is negative.
func (a uint128) minus(b uint128) uint128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, borrow := bits.Sub64(a.hi, b.hi, borrow)
	if borrow != 0 {
		return uint128{}
	}
	return uint128{hi, lo}
}

// times returns a × b, or the largest value if that does not fit.
func (a uint128) times(b uint64) uint128 {
	over, mid := bits.Mul64(a.hi, b)
	hi, lo := bits.Mul64(a.lo, b)
	hi, carry := bits.Add64(hi, mid, 0)
	if over != 0 || carry != 0 {
		return maxUint128
	}
	return uint128{hi, lo}
}

// over returns a ÷ b, rounded up, or the largest uint64 if that does not fit.
func (a uint128) over(b uint64) uint64 {
	if a.hi >= b {
		return math.MaxUint64
	}
	quotient, rest := bits.Div64(a.hi, a.lo, b)
	if rest > 0 && quotient < math.MaxUint64 {
		quotient++
	}
	return quotient
}

// shifted returns a × 2^n, n up to 63, or the largest value if that does not fit.
func (a uint128) shifted(n uint) uint128 { return a.times(1 << n) }

func (a uint128) float() float64 { return float64(a.hi)*0x1p64 + float64(a.lo) }

func earlier(a, b uint128) uint128 {
	if a.less(b) {
		return a
	}
	return b
}

func later(a, b uint128) uint128 {
	if a.less(b) {
		return b
	}
	return a
}
