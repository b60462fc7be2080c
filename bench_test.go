package jobeffekt_test

import (
	"context"
	"os"
	"testing"

	"github.com/jobeffekt/jobeffekt"
)

// BenchmarkMeasure reads and observes the dataset in the folder named by
// JOBEFFEKT_BENCH with the run file bench/jobeffekt.yaml (see bench/README.md
// for 1,000,000 persons with 20,000,000 spells), or that of the demonstration,
// and writes the step's tables.
func BenchmarkMeasure(b *testing.B) {
	path, data := "cmd/jobeffekt/demo/jobeffekt.yaml", "data"
	if folder := os.Getenv("JOBEFFEKT_BENCH"); folder != "" {
		path, data = "bench/jobeffekt.yaml", folder
	}
	c, err := jobeffekt.LoadConfig(path)
	if err != nil {
		b.Fatal(err)
	}
	c.Data, c.Out = data, b.TempDir()
	for b.Loop() {
		if _, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepMeasure); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCells asks only for the cells, of the two run files of bench.
func BenchmarkCells(b *testing.B) {
	for _, name := range []string{"jobeffekt", "six"} {
		b.Run(name, func(b *testing.B) {
			path, data := "cmd/jobeffekt/demo/jobeffekt.yaml", "data"
			if folder := os.Getenv("JOBEFFEKT_BENCH"); folder != "" {
				path, data = "bench/"+name+".yaml", folder
			}
			c, err := jobeffekt.LoadConfig(path)
			if err != nil {
				b.Fatal(err)
			}
			c.Data, c.Out = data, b.TempDir()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jobeffekt.RunCells(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRun does the whole job of the demonstration.
func BenchmarkRun(b *testing.B) {
	c, err := jobeffekt.LoadConfig("cmd/jobeffekt/demo/jobeffekt.yaml")
	if err != nil {
		b.Fatal(err)
	}
	c.Out = b.TempDir()
	for b.Loop() {
		if _, err := jobeffekt.Run(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
}
