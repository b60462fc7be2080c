package disclosure

import "math/bits"

// prime is 2^61 - 1. Entries of rows are rational; they are held as residues, so that they
// stay one word. A residue that is 0 or 1 by chance where the number is neither would only
// withhold more, or need numbers of some 10^18; entries come from sums of zeros and ones.
const prime = 1<<61 - 1

// residue is a whole number of fewer than 61 bits.
func residue(x int64) uint64 {
	if x < 0 {
		return minus(0, uint64(-x)%prime)
	}
	return uint64(x) % prime
}

func plus(a, b uint64) uint64 {
	if s := a + b; s >= prime {
		return s - prime
	} else {
		return s
	}
}

func minus(a, b uint64) uint64 {
	if a >= b {
		return a - b
	}
	return a + prime - b
}

func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	// 2^64 is 8 mod the prime, and 2^61 is 1.
	return plus(lo&prime, (hi<<3|lo>>61)%prime)
}

// inverse is 1/a, by Fermat; a is not 0.
func inverse(a uint64) uint64 {
	out := uint64(1)
	for e := uint64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			out = mul(out, a)
		}
		a = mul(a, a)
	}
	return out
}
