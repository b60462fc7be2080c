package effect

import (
	"cmp"
	"slices"
)

// Identities tells who a provider was on a day: what it was called, and to which
// consortium it belonged. A provider is its id; a rename or a change of consortium
// begins a new line. Make it with [NewIdentities]; it is read-only and safe for
// concurrent use. The nil Identities knows nobody.
type Identities struct {
	lines map[string][]Membership // of a provider, by first day
}

// NewIdentities holds the lines of the table providers, in any order. Lines of one
// provider should not overlap, as ingest rejects those that contradict each
// other; where they do, the one that began last holds, and of two that began on
// one day the later in the order given.
func NewIdentities(members []Membership) *Identities {
	x := &Identities{lines: map[string][]Membership{}}
	for _, m := range members {
		x.lines[m.Provider] = append(x.lines[m.Provider], m)
	}
	for _, lines := range x.lines {
		slices.SortStableFunc(lines, func(a, b Membership) int { return cmp.Compare(a.From, b.From) })
	}
	return x
}

// Lines returns the lines of a provider by first day; nil for one that is not
// known. The caller must not change them.
func (x *Identities) Lines(provider string) []Membership {
	if x == nil {
		return nil
	}
	return x.lines[provider]
}

// Has says whether the line holds on a day: From is the first, To the day after
// the last. A line that ends on the day it begins holds on no day.
func (m *Membership) Has(day Date) bool { return m.From <= day && (m.To == NoDate || day < m.To) }

// At returns the line that holds for a provider on a day; ok is false where none
// does.
func (x *Identities) At(provider string, day Date) (line Membership, ok bool) {
	if k := x.at(provider, day); k >= 0 {
		return x.lines[provider][k], true
	}
	return Membership{}, false
}

// at is the place of the line that holds, -1 where none does.
func (x *Identities) at(provider string, day Date) int {
	lines := x.Lines(provider)
	for k := len(lines) - 1; k >= 0; k-- {
		if lines[k].Has(day) {
			return k
		}
	}
	return -1
}

// Name is what a provider was called on a day: its id where no line holds on that
// day, or the line has no name. [OwnProvider] is called so.
func (x *Identities) Name(provider string, day Date) string {
	line, _ := x.At(provider, day)
	return cmp.Or(line.Name, provider)
}

// Sisters says whether two different providers belong to one consortium on a day.
// Other than [Kinship] it does not look at other days: who left the consortium
// before, or joined it after, is no sister.
func (x *Identities) Sisters(a, b string, day Date) bool {
	if a == b {
		return false
	}
	for _, m := range x.Lines(a) {
		if m.Consortium == "" || !m.Has(day) {
			continue
		}
		if slices.ContainsFunc(x.Lines(b), func(o Membership) bool { return o.Consortium == m.Consortium && o.Has(day) }) {
			return true
		}
	}
	return false
}

// ProviderRow is one line of what the cohort's providers were called, with the
// referrals that fell into it: a row of the result table providers. Referrals that
// fall into no line have a row of their own that says why.
type ProviderRow struct {
	Provider   string `col:"provider_id" doc:"provider; (own) for the municipality's own projects"`
	From       Date   `col:"valid_from" doc:"first day on which the line holds; null where the referrals belong to no line"`
	To         Date   `col:"valid_to" doc:"day after the last; null while in force, and where the referrals belong to no line"`
	Name       string `col:"name" doc:"what the provider is called then"`
	Consortium string `col:"consortium_id" doc:"consortium to which it belongs then; empty for none"`
	InHouse    string `col:"in_house" doc:"yes or no: whether it is the municipality's own bid; empty where unknown"`
	N          int64  `col:"n" doc:"cases of the cohort referred in [valid_from, valid_to), or belonging to no line"`
	Contradict int64  `col:"n_channel_contradicts" doc:"those whose channel is known and another than the identity says: own without a provider, in_house_bid for one that is in house, provider for any other"`
	Problem    string `col:"problem" doc:"why the referrals belong to no line: outside_validity, not_in_table, or no_table where the dataset has no table providers; empty otherwise"`
}

// The values of ProviderRow.Problem.
const (
	ProviderOutside = "outside_validity" // the provider is known, but not on the day of referral
	ProviderUnknown = "not_in_table"     // the table providers does not have the id
	ProviderNoTable = "no_table"         // there is no table providers
)

// ProviderRows lists every provider with a case in the cohort: each of its lines
// with the cases referred while it held, and the cases referred on no day of any.
// Own projects, which have no line, come first, then providers by id, then lines
// by first day and those of no line last. The column n adds to the cases of the
// cohort. Members is nil where there is no table providers, and then nothing is
// called unknown.
func ProviderRows(obs *Observations, members []Membership) []ProviderRow {
	c, x := obs.Cases, NewIdentities(members)
	type key struct {
		provider int32
		line     int // -1 for none
	}
	found, counts := make([]bool, len(c.Provider.Levels)), map[key]*ProviderRow{}
	own, owns := ProviderRow{Provider: OwnProvider, From: NoDate, To: NoDate}, false
	for i := range c.Len() {
		if len(obs.Results) > 0 && obs.Results[0].Reason[i].OutsideCohort() {
			continue
		}
		channel, row := c.Channel.At(i), &own
		if len(c.Provider.Codes) > 0 && c.Provider.Codes[i] >= 0 {
			code := c.Provider.Codes[i]
			provider := c.Provider.Levels[code]
			k := key{code, x.at(provider, c.Referral[i])}
			found[code] = true
			if row = counts[k]; row == nil {
				row = &ProviderRow{}
				counts[k] = row
			}
			var line Membership
			if k.line >= 0 {
				line = x.lines[provider][k.line]
			}
			if channel == ChannelOwn || k.line >= 0 && !line.InHouseUnknown && channel != "" && (channel == ChannelInHouseBid) != line.InHouse {
				row.Contradict++
			}
		} else {
			owns = true
			if channel != "" && channel != ChannelOwn {
				row.Contradict++
			}
		}
		row.N++
	}
	var out []ProviderRow
	if owns {
		out = append(out, own)
	}
	for code, provider := range c.Provider.Levels {
		if !found[code] {
			continue
		}
		lines := x.Lines(provider)
		for k, m := range lines {
			row := ProviderRow{Provider: provider, From: m.From, To: m.To, Name: m.Name, Consortium: m.Consortium, InHouse: m.inHouse()}
			if n := counts[key{int32(code), k}]; n != nil {
				row.N, row.Contradict = n.N, n.Contradict
			}
			out = append(out, row)
		}
		if n := counts[key{int32(code), -1}]; n != nil {
			row := ProviderRow{Provider: provider, From: NoDate, To: NoDate, N: n.N, Contradict: n.Contradict, Problem: ProviderUnknown}
			switch {
			case members == nil:
				row.Problem = ProviderNoTable
			case len(lines) > 0:
				row.Problem = ProviderOutside
			}
			out = append(out, row)
		}
	}
	return out
}

func (m *Membership) inHouse() string {
	switch {
	case m.InHouseUnknown:
		return ""
	case m.InHouse:
		return Yes
	}
	return No
}

// IdentitiesOf takes the identities from rows of the result table providers, so
// that a report can say what a provider was called when the citizens were referred.
func IdentitiesOf(rows []ProviderRow) *Identities {
	var members []Membership
	for _, r := range rows {
		if r.From != NoDate {
			members = append(members, Membership{
				Provider: r.Provider, Consortium: r.Consortium, Name: r.Name, From: r.From, To: r.To,
				InHouse: r.InHouse == Yes, InHouseUnknown: r.InHouse == "",
			})
		}
	}
	return NewIdentities(members)
}
