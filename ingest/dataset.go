package ingest

import (
	"io"
	"sync"
	"time"

	"github.com/jobeffekt/jobeffekt/effect"
)

// The tables of the contract.
const (
	Participations = "participations"
	Spells         = "spells"
	Persons        = "persons"
	Providers      = "providers"
	Municipalities = "municipalities"
	PeerStrata     = "peer_strata"
	Caseload       = "caseload"
	Satisfaction   = "satisfaction"
	Inspections    = "inspections"
	Experience     = "experience"
	Spend          = "spend"
	Evidence       = "evidence"
	Figures        = "figures"
	Invoices       = "invoices"
	Payments       = "payments"
)

// Options say how an input maps to the contract. Start from [DefaultOptions].
type Options struct {
	// Columns names the input's column for a contract column, by table and
	// contract column. A contract column that is not here has its own name.
	Columns map[string]map[string]string
	// Constants gives a contract column one value for every row, by table and
	// contract column; the input's column is then not read.
	Constants map[string]map[string]string
	// States maps input codes to states. Canonical names stand for themselves
	// unless they are mapped here.
	States map[string]effect.State
	// FixedCovariates are columns of persons that cannot change (sex,
	// birth_date), or of participations that were known at referral: they are
	// dated, even without valid_from.
	FixedCovariates []string
	// Crosswalk moves match groups of one scheme to another in participations,
	// caseload and peer_strata, as they are read. A scheme is in From once, and
	// no scheme in From is in To.
	Crosswalk []effect.Crosswalk
	// Covariates are the extra columns of persons and participations to read, in
	// the order wanted; only these are read. Where both tables have the column,
	// that of participations counts. "age" is derived in whole years at referral
	// where there is a birth_date but no such column.
	Covariates []string
	// Municipalities are those whose citizens are asked about; none: all. Rows of
	// participations and caseload that name another are set aside, whatever else
	// they hold, as if they were not there, and so are the spells and persons of who
	// is in none of the rest. Files of [Arrange], and others with an index of their
	// pages, are then read only where such rows can be; what comes of it is the same.
	Municipalities []string
	// Hours and Amounts ask for the columns hours_per_week and amount of spells,
	// which must then be there.
	Hours, Amounts bool
	// Pseudonyms is the key by which pseudonyms are made of identifiers as they are
	// read; nil: none are. PseudonymColumns are the columns of the contract of which they are
	// made, of those of the function [PseudonymColumns]. Files that say of themselves that they
	// hold pseudonyms by this key are left as they are.
	Pseudonyms       *PseudonymKey
	PseudonymColumns []string
	// Workers is how many goroutines read; 0 is GOMAXPROCS. Results do not
	// depend on it.
	Workers int
	// MaxRejectShare is the share of a table's rows that may be rejected.
	MaxRejectShare float64
	Limits         Limits
}

// DefaultOptions reads every column under its contract name, allows 1 % rejects
// and has the default limits.
func DefaultOptions() Options {
	return Options{MaxRejectShare: 0.01, Limits: DefaultLimits()}
}

// Limits bound what one file may ask for, so that a damaged or hostile file
// fails instead of exhausting memory: an error that wraps [ErrLimit] says which. A
// limit of 0 allows nothing; start from [DefaultLimits].
//
// What is read from Parquet holds, beside the rows that are asked for, at most
// RowGroupBytes for each of the goroutines that read, and about 30 times the footers of
// all files. A table that is held in memory takes 4 or 8 bytes for each of its rows in
// each column that is read, and every different text once; so that with RowsPerByte
// a small file is a small table. A CSV file takes some 60 times its bytes at worst.
type Limits struct {
	FooterBytes   int64 // footer of one file
	Columns       int   // columns of one file
	RowGroups     int   // row groups of one file
	PageBytes     int64 // one page, uncompressed, and one page, compressed
	PageRows      int64 // rows of one page
	RowGroupBytes int64 // pages of one row group that are open at once, compressed and uncompressed, with their values
	RowsPerByte   int64 // rows of a file, and of a table in memory, for each byte of its files, where there are more than 2^20 rows
	TextBytes     int   // one text or identifier; a longer one is a bad row
	Files         int   // parts of one table
	CSVBytes      int64 // one CSV file
}

// DefaultLimits are 64 MiB of footer, 10,000 columns, 32,767 row groups (the
// format's own limit), 256 MiB and 2^24 rows per page, 1 GiB of pages at once, 100 rows
// per byte, 64 KiB per text, 100,000 parts, 256 MiB per CSV file.
func DefaultLimits() Limits {
	return Limits{
		FooterBytes: 64 << 20, Columns: 10_000, RowGroups: 32_767, PageBytes: 256 << 20, PageRows: 1 << 24,
		RowGroupBytes: 1 << 30, RowsPerByte: 100, TextBytes: 64 << 10, Files: 100_000, CSVBytes: 256 << 20,
	}
}

// manyRows says whether there are more rows than so many bytes may claim: no table of
// any content has as many.
func (l Limits) manyRows(rows, bytes int64) bool {
	return rows > 1<<20 && (bytes == 0 || rows/bytes >= l.RowsPerByte)
}

// Dataset is a set of input tables. Its methods may be called concurrently, but
// not while tables are added.
type Dataset struct {
	opt    Options
	tables map[string][]part
	files  []*source
	groups []SpellGroups // of spells that are read; nil for all
	// trusted says that nobody asks for civil registration numbers: tables of results.
	trusted bool
	memory  *pageMemories

	mu      sync.Mutex
	results map[string]*account
}

// NewDataset returns a dataset without tables, to which [Dataset.AddArrow] adds.
func NewDataset(opt Options) *Dataset {
	return &Dataset{opt: opt, tables: map[string][]part{}, results: map[string]*account{}, memory: &pageMemories{}}
}

// Has says whether the dataset has the table.
func (d *Dataset) Has(table string) bool { return len(d.tables[table]) > 0 }

// Files lists the input files in order: tables by name, parts by name.
func (d *Dataset) Files() []string {
	out := make([]string, len(d.files))
	for i, f := range d.files {
		out[i] = f.path
	}
	return out
}

// FileSize is how many bytes an input file had when the dataset was opened, by its
// place in [Dataset.Files].
func (d *Dataset) FileSize(i int) int64 { return d.files[i].size }

// Unchanged looks at every input file again, after they were read: one that is not as it
// was when the dataset was opened is a [FileError] that wraps [ErrChanged]. It compares
// the size, the time of the last change and, on Linux and macOS, which file it is.
//
// They do not show every change. doubtful are the files, by their place in
// [Dataset.Files], that whoever needs to be sure hashes again: on Linux and macOS those whose status has changed since (which
// nobody can set back), and those that were changed later than recent when the dataset was
// opened: another change may have fallen into the same tick of the file system's clock.
func (d *Dataset) Unchanged(recent time.Time) (doubtful []int, err error) {
	for i, f := range d.files {
		moved, err := f.unchanged()
		if err != nil {
			return nil, err
		}
		if f.version == "" && (moved || f.mtime.After(recent) || f.touched.After(recent)) {
			doubtful = append(doubtful, i)
		}
	}
	return doubtful, nil
}

// OpenFile opens an input file, by its place in [Dataset.Files], to be read whole
// from its start. One that changed since the dataset was opened is a [FileError]
// that wraps [ErrChanged].
func (d *Dataset) OpenFile(i int) (io.ReadCloser, error) {
	r, err := d.files[i].open()
	if err != nil {
		return nil, err
	}
	return r, nil
}
