package dream_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// One citizen's first three weeks of 2008: two on cash benefit, then none.
func ExampleConvert() {
	type citizen struct {
		PNR  int64  `parquet:"pnr"`
		Y801 string `parquet:"y_0801"`
		Y802 string `parquet:"y_0802"`
		Y803 string `parquet:"y_0803"`
	}
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "panel.parquet")
	if err := parquet.WriteFile(path, []citizen{{1, "730", "730", ""}}); err != nil {
		log.Fatal(err)
	}
	panel, err := ingest.OpenPanel(path, ingest.DefaultLimits())
	if err != nil {
		log.Fatal(err)
	}
	m := dream.DefaultMap()
	m.OutsideMonths = dream.OutsideUnknown // there are no columns of income
	report, err := dream.Convert(context.Background(), panel, m, dream.DefaultOptions(), func(b *dream.Block) error {
		for i := range b.Spells.State {
			fmt.Println(b.Persons[b.Spells.Person[i]], b.Spells.State[i], b.Spells.Start[i], b.Spells.End[i])
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.First, report.End)
	// Output:
	// 1 cash_benefit 2007-12-31 2008-01-14
	// 2007-12-31 2008-01-21
}
