//go:build unix

// Package fit_test times a logistic fit beside R and numpy: see compare.sh.
package fit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// BenchmarkFit fits the table that make.py wrote to the folder FIT_DATA, once,
// and prints seconds and coefficients as fit.py and fit.R do.
func BenchmarkFit(b *testing.B) {
	folder := os.Getenv("FIT_DATA")
	if folder == "" {
		b.Skip("FIT_DATA names no folder")
	}
	y := read(b, filepath.Join(folder, "y.f64"))
	x := regress.Matrix{N: len(y), Data: read(b, filepath.Join(folder, "x.f64"))}
	x.P = len(x.Data) / x.N
	start, used := time.Now(), processor(b)
	f, err := regress.Logistic(context.Background(), x, y)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Println("seconds", time.Since(start).Seconds(), processor(b)-used)
	fmt.Print("coef")
	for _, v := range f.Coef {
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
	file, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	out, block := make([]float64, 0, info.Size()/8), make([]byte, 1<<16)
	for {
		n, err := io.ReadFull(file, block)
		for i := 0; i+8 <= n; i += 8 {
			out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(block[i:])))
		}
		if err != nil {
			return out
		}
	}
}
