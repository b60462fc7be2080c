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
//
// # Reading
//
// [Contract] lists the columns of every table that can come in. [Dataset.Cases] reads the
// participations with their covariates, and [Dataset.Observe] hands their persons' spells to
// observers, in any order and from any number of files; [Rows] reads a table that is small.
// [Dataset.Rejects] and [Dataset.Counts] say what was left out, and why. Data that lie
// elsewhere than in a folder come through [OpenFS].
//
// # Writing
//
// [FromRows] makes a table of structs whose fields have the tags col and doc, and [ToRows]
// makes structs of a table. [Table.WriteParquet] and [Table.WriteCSV] write the same bytes
// for the same table. [ReadFile] reads a file of either kind.
//
// # Order
//
// [Dataset.Arrange] writes a dataset anew, so that a municipality can be read without the
// rest of the country.
package ingest
