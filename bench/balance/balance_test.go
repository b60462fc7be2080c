//go:build unix

// Package balance_test times entropy balancing beside R and numpy: see
// compare.sh.
package balance_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jobeffekt/jobeffekt/effect/balance"
)

// BenchmarkBalance balances the comparators that make.py wrote to the folder
// BALANCE_DATA, once, and prints seconds and coefficients as balance.py and
// balance.R do.
func BenchmarkBalance(b *testing.B) {
	folder := os.Getenv("BALANCE_DATA")
	if folder == "" {
		b.Skip("BALANCE_DATA names no folder")
	}
	p := balance.Problem{Target: read(b, filepath.Join(folder, "target.f64"))}
	p.X = balance.Matrix{P: len(p.Target), Data: read(b, filepath.Join(folder, "x.f64"))}
	p.X.N = len(p.X.Data) / p.X.P
	start, used := time.Now(), processor(b)
	w, err := balance.Entropy(context.Background(), p)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Println("seconds", time.Since(start).Seconds(), processor(b)-used)
	fmt.Print("lambda")
	for _, v := range w.Lambda {
		fmt.Print(" ", v)
	}
	fmt.Println()
}

// processor is the processor time used so far, in seconds, of all threads.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func read(b *testing.B, name string) []float64 {
	text, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]float64, len(text)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(text[8*i:]))
	}
	return out
}
