package ledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
)

// crowd is a settlement of so many lines, with so many cases behind each.
func crowd(t tester, lines, cases int) *ledger.Settled {
	s := settle(t, seal(t, readTerms(t)), "2008-06-30", nil, nil)
	for i := range lines {
		line := bonus.Line{
			ID:        fmt.Sprintf("A-1/p%d/2008H1/job@2008-01-01/match5_2004/%d/P1", i%1000, i/1000),
			Agreement: "A-1", Provider: fmt.Sprint("p", i%1000), Period: "2008H1", Clause: "job", Version: day("2008-01-01"), Cases: int64(cases),
			Quantity: fmt.Sprint(cases), UnitPrice: 4000_00, Amount: bonus.Ore(cases) * 4000_00, Standing: bonus.StandingSealed,
		}
		s.Settlement.Lines = append(s.Settlement.Lines, line)
		for j := range cases {
			s.Settlement.Entries = append(s.Settlement.Entries, bonus.Entry{Line: line.ID, Participation: fmt.Sprint(i*cases + j), On: day("2008-03-01"), Quantity: "1"})
		}
	}
	return s
}

// Booking in one transaction, from the settlement to the disk: what is planned,
// hashed, chained, written and synchronised. The proposal is made beforehand.
func BenchmarkBook(b *testing.B) {
	sizes := []struct{ lines, cases int }{{100_000, 0}, {100_000, 1}, {1_000, 100}}
	if testing.Short() {
		sizes = []struct{ lines, cases int }{{1_000, 0}, {1_000, 1}, {10, 100}}
	}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%d lines of %d cases", size.lines, size.cases), func(b *testing.B) {
			ctx, o := context.Background(), ledger.Default()
			o.Create = true
			s := crowd(b, size.lines, size.cases)
			for b.Loop() {
				b.StopTimer()
				l, err := ledger.Open(ctx, b.TempDir()+"/ledger.db", o)
				require.NoError(b, err)
				p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
				require.NoError(b, err)
				b.StartTimer()
				_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
				require.NoError(b, err)
				b.StopTimer()
				require.NoError(b, l.Close())
				b.StartTimer()
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(size.lines)/seconds, "lines/s")
			b.ReportMetric(float64(size.lines*(1+size.cases))/seconds, "rows/s")
		})
	}
}

// The look at a whole ledger.
func BenchmarkVerify(b *testing.B) {
	ctx, o := context.Background(), ledger.Default()
	o.Create = true
	l, err := ledger.Open(ctx, b.TempDir()+"/ledger.db", o)
	require.NoError(b, err)
	defer l.Close()
	lines := 100_000
	if testing.Short() {
		lines = 1_000
	}
	book(b, l, crowd(b, lines, 1), "2008H1", "2008-07-10")
	for b.Loop() {
		whole(b, l)
	}
	b.ReportMetric(float64(2*lines)/(b.Elapsed().Seconds()/float64(b.N)), "rows/s")
}
