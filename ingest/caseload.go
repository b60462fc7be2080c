package ingest

import (
	"context"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Caseload reads the table caseload: of everybody, not only of persons with a
// participation. Rows that are the same in every column count once; a spell that
// ends on the day it starts covers no day: it is counted, and not in the result.
// Spells of a person may overlap. The crosswalk of the options moves match groups
// after all that. The result does not depend on the order of
// rows, on parts or on workers. The errors are those of [Dataset.Cases].
//
// The whole table is held, in columns of numbers: 24 bytes a row and each
// distinct identifier and name once. While it is read the heap stays below
// 120 bytes a row (with three spells a person).
func (d *Dataset) Caseload(ctx context.Context) (*effect.Caseload, error) {
	f, err := d.load(ctx, Caseload, nil, nil)
	if err != nil {
		return nil, err
	}
	person, start, end := f.index("person_id"), f.index("start_date"), f.index("end_date")
	municipality, scheme, group := f.index("municipality"), f.index("match_scheme"), f.index("match_group")
	f.checkOrder(start, end)
	f.dropEmpty(start, end)
	rows := f.distinct(0, 4, 5, 1, 2, 3) // also where there is no end_date
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, err
	}
	f.whole = inOrder(rows, f.rows)
	b := &effect.Caseload{
		Municipality: f.factor(municipality, rows), MatchScheme: f.factor(scheme, rows), MatchGroup: f.factor(group, rows),
		Start: f.dates(start, rows), End: f.dates(end, rows),
	}
	if err := d.moveGroups(f.account, &b.MatchScheme, &b.MatchGroup); err != nil {
		return nil, err
	}
	b.Persons, b.Person = f.ids(person, rows).Index()
	return b, nil
}

// dropEmpty sets aside the good rows that end on the day they start.
func (f *frame) dropEmpty(start, end int) {
	var n int64
	if end >= 0 {
		for i, to := range f.cols[end].ints {
			if !f.bad[i] && to == f.cols[start].ints[i] {
				f.bad[i] = true
				n++
			}
		}
	}
	f.count("empty", n, emptyRule)
}

const emptyRule = "spells that end on the day they start cover no day and are not used"
