// Package ingest reads the tables of the data contract and writes the tables of
// results. It is the only package that knows Parquet and Arrow.
//
// A [Dataset] is a folder of Parquet files ([OpenFolder]) or tables handed over
// in memory ([NewDataset], [Dataset.AddArrow]); both doors feed the same batches
// of columns, so the rules about bad rows hold for both. A bad row is a reject
// (table, file, row, column, cause) and never an error, until rejects pass their
// limit; a bad file or schema is an error. Neither ever repeats a value of the
// data, except codes of states that are not mapped.
//
// A [Table] is a named result in columns, read and written as Parquet or CSV.
package ingest
