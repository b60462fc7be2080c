package ingest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// priceColumn of participations is read only where it is asked for.
const priceColumn = "price"

// Priced is what the participations under an agreement cost that were referred in a
// calendar year.
type Priced struct {
	Agreement string
	Year      int
	Amount    string // the sum of the prices, an exact decimal
	Unknown   int64  // participations without a price, which are not in Amount
}

// HasPrices says whether participations have the column price.
func (d *Dataset) HasPrices() bool { return d.hasColumn(Participations, priceColumn) }

// Prices adds up the prices of the participations that were referred up to a day, by
// agreement and calendar year; those without an agreement are left out. The rows are
// those of [Dataset.Cases], and their counts and rejects stay as they are. Besides
// the errors of Cases, a price that is no decimal is one.
func (d *Dataset) Prices(ctx context.Context, until effect.Date) ([]Priced, error) {
	f, err := d.load(ctx, Participations, []field{{name: priceColumn, want: wantAmount}}, nil)
	if err != nil {
		return nil, err
	}
	price := len(contract(Participations))
	bad := 0
	for _, r := range f.rejects {
		if int(r.column) == price {
			bad++
		}
	}
	if bad > 0 {
		return nil, fmt.Errorf("ingest: %s: %s cannot be read, as they are not finite or have too many digits (mend them, or leave them empty)", Participations, plural(bad, "price"))
	}
	type key struct {
		agreement string
		year      int
	}
	sums, unknown := map[key]*big.Rat{}, map[key]int64{}
	agreement, referral := f.index("agreement_id"), f.index("referral_date")
	f.checkOrder(f.index("start_date"), f.index("end_date"))
	for _, r := range f.distinct(f.index("participation_id")) {
		k := key{agreement: f.text(agreement, r)}
		day := effect.Date(f.cols[referral].ints[r])
		if k.agreement == "" || day > until {
			continue
		}
		k.year = day.Time().Year()
		if sums[k] == nil {
			sums[k] = new(big.Rat)
		}
		x, ok := new(big.Rat).SetString(f.text(f.index(priceColumn), r))
		if !ok {
			unknown[k]++
			continue
		}
		sums[k].Add(sums[k], x)
	}
	var out []Priced
	for _, k := range slices.SortedFunc(maps.Keys(sums), func(a, b key) int {
		return cmp.Or(effect.TextID(a.agreement).Compare(effect.TextID(b.agreement)), cmp.Compare(a.year, b.year))
	}) {
		digits, _ := sums[k].FloatPrec()
		out = append(out, Priced{k.agreement, k.year, sums[k].FloatString(digits), unknown[k]})
	}
	return out, nil
}
