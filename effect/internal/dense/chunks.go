package dense

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// chunkRows is how many rows a chunk has. It is a constant, so that what is
// summed together never depends on the machine.
const chunkRows = 8192

// Chunks cuts 0..n-1 into chunks of a fixed size and calls f once for each with
// its number and its half-open range, on all processors at once; a single chunk
// runs on the caller's goroutine. It returns when all calls have. With n = 0
// there is none. f must write only to what belongs to its chunk: then the result
// does not depend on the number of processors.
//
// When ctx is done no further chunk is begun and it says false: what f would have
// written is missing, and the caller returns an error in place of what it makes of it.
func Chunks(ctx context.Context, n int, f func(chunk, lo, hi int)) (whole bool) {
	chunks := (n + chunkRows - 1) / chunkRows
	run := func(k int) { f(k, k*chunkRows, min(n, (k+1)*chunkRows)) }
	workers := min(chunks, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for k := range chunks {
			if ctx.Err() != nil {
				return false
			}
			run(k)
		}
		return true
	}
	var next atomic.Int64
	var cut atomic.Bool
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				k := int(next.Add(1) - 1)
				if k >= chunks {
					return
				}
				if ctx.Err() != nil {
					cut.Store(true)
					return
				}
				run(k)
			}
		})
	}
	wg.Wait()
	return !cut.Load()
}

// Sum adds vectors of the given width over the rows 0..n-1: f adds the rows
// lo..hi-1 to sum, which starts as zeros. The sums of the chunks are added in
// pairs, neighbours first, so that the result is the same bytes for any number
// of processors. With n = 0 it is zeros; where ctx was done before all rows were
// added, NaN, so that no fit can take a part for the whole.
func Sum(ctx context.Context, n, width int, f func(sum []float64, lo, hi int)) []float64 {
	if n <= chunkRows {
		sum := make([]float64, width)
		if n > 0 {
			f(sum, 0, n)
		}
		return sum
	}
	sums := make([][]float64, (n+chunkRows-1)/chunkRows)
	if !Chunks(ctx, n, func(chunk, lo, hi int) {
		sums[chunk] = make([]float64, width)
		f(sums[chunk], lo, hi)
	}) {
		sum := make([]float64, width)
		for i := range sum {
			sum[i] = math.NaN()
		}
		return sum
	}
	for step := 1; step < len(sums); step *= 2 {
		for k := 0; k+step < len(sums); k += 2 * step {
			for i, v := range sums[k+step] {
				sums[k][i] += v
			}
			sums[k+step] = nil
		}
	}
	return sums[0]
}
