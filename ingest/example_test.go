package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// A table made of rows, as Parquet and as CSV, and read back as rows.
func ExampleFromRows() {
	type share struct {
		Municipality string      `col:"municipality" doc:"its name"`
		On           effect.Date `col:"on" doc:"day of the count"`
		Share        float64     `col:"share" doc:"share on benefit"`
	}
	table, err := ingest.FromRows("shares", []share{{"Byen", effect.NewDate(2008, 12, 31), 0.125}, {"Havnen", effect.NewDate(2008, 12, 31), 0.25}})
	if err != nil {
		log.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "jobeffekt-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	var parquet bytes.Buffer
	if err := table.WriteParquet(&parquet); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(folder, "shares.parquet")
	if err := os.WriteFile(path, parquet.Bytes(), 0o600); err != nil {
		log.Fatal(err)
	}
	back, err := ingest.ReadFile(context.Background(), path, ingest.DefaultLimits())
	if err != nil {
		log.Fatal(err)
	}
	rows, err := ingest.ToRows[share](back)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows)
	// Output:
	// [{Byen 2008-12-31 0.125} {Havnen 2008-12-31 0.25}]
}

// A service that has participations and spells as Arrow records.
func ExampleDataset_AddArrow() {
	record := func(columns ...any) arrow.Record {
		var fields []arrow.Field
		var arrays []arrow.Array
		for k := 0; k < len(columns); k += 2 {
			var a arrow.Array
			switch values := columns[k+1].(type) {
			case []int64:
				b := array.NewInt64Builder(memory.DefaultAllocator)
				b.AppendValues(values, nil)
				a = b.NewArray()
			case []string:
				b := array.NewStringBuilder(memory.DefaultAllocator)
				b.AppendValues(values, nil)
				a = b.NewArray()
			case []arrow.Date32:
				b := array.NewDate32Builder(memory.DefaultAllocator)
				b.AppendValues(values, nil)
				a = b.NewArray()
			}
			fields, arrays = append(fields, arrow.Field{Name: columns[k].(string), Type: a.DataType()}), append(arrays, a)
		}
		return array.NewRecord(arrow.NewSchema(fields, nil), arrays, int64(arrays[0].Len()))
	}
	data := ingest.NewDataset(ingest.DefaultOptions())
	err := data.AddArrow(ingest.Participations, record(
		"participation_id", []int64{1, 2}, "person_id", []int64{10, 20}, "municipality", []string{"751", "751"},
		"match_scheme", []string{"match5_2004", "match5_2004"}, "match_group", []string{"4", "5"},
		"referral_date", []arrow.Date32{13910, 13920}, "provider_id", []string{"north", "south"},
	))
	if err != nil {
		log.Fatal(err)
	}
	err = data.AddArrow(ingest.Spells, record(
		"person_id", []int64{10, 20}, "state", []string{"ordinary_employment", "cash_benefit"},
		"start_date", []arrow.Date32{14000, 13900}, "end_date", []arrow.Date32{14200, 14300},
	))
	if err != nil {
		log.Fatal(err)
	}
	cases, err := data.Cases(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for i := range cases.Len() {
		fmt.Println(cases.ID.At(i), cases.Provider.At(i), cases.Referral[i])
	}
	// Output:
	// 1 north 2008-02-01
	// 2 south 2008-02-11
}
