package report

import "github.com/jobeffekt/jobeffekt"

// tableFiles are the outward tables as CSV and Parquet, with their dictionary.
func tableFiles(_ *jobeffekt.Publication, _ Options) []file { return nil }
