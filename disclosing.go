package jobeffekt

import "path/filepath"

// Disclosure is the part of the run file about what may leave the house.
type Disclosure struct {
	MinCount int    `yaml:"min_count,omitempty" doc:"count of citizens under which nothing is shown in a report, a workbook or another outward form, nor what would let it be worked out; left out: 5"`
	Record   string `yaml:"record,omitempty" doc:"file (.parquet), relative to the run file, that remembers what went out before, so that a later publication beside it tells no more; left out: publications are protected one by one"`
}

// DefaultMinCount is the count of citizens under which nothing is shown.
const DefaultMinCount = 5

// minCount is the count under which nothing is shown.
func (c *Config) minCount() int64 {
	if d := c.Disclosure; d != nil && d.MinCount > 0 {
		return int64(d.MinCount)
	}
	return DefaultMinCount
}

// recordFile is the file that remembers what went out; "" for none.
func (c *Config) recordFile() string {
	if c.Disclosure == nil || c.Disclosure.Record == "" {
		return ""
	}
	return c.resolve(c.Disclosure.Record)
}

func (c *Config) checkDisclosure(fault func(path, format string, args ...any)) {
	d := c.Disclosure
	if d == nil {
		return
	}
	if d.MinCount < 0 {
		fault("disclosure.min_count", "a count of citizens is 1 or more; 3, 5 and 10 are usual")
	}
	if d.Record != "" && filepath.Ext(d.Record) != ".parquet" {
		fault("disclosure.record", "%s is no Parquet file: give a name that ends in .parquet", d.Record)
	}
	if d.Record != "" && c.Out != "" && filepath.Dir(filepath.Clean(d.Record)) == filepath.Clean(c.Out) {
		fault("disclosure.record", "the results folder is made anew by every run: keep the record outside of it")
	}
}
