package bonus

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Upkeep is what somebody must keep an eye on while an agreement runs. It decides no
// payment, and no seal covers it.
type Upkeep struct {
	Section string       `yaml:"section" doc:"section of the source that says so"`
	Volume  []YearVolume `yaml:"volume,omitempty" doc:"what is to be bought in a calendar year"`
	Ceiling *Ore         `yaml:"ceiling,omitempty" doc:"the most that may be bought under the agreement in all"`
	Options []Option     `yaml:"options,omitempty" doc:"how the agreement can be prolonged, in the order of time"`
	Notice  effect.Span  `yaml:"notice" doc:"how long before the end of the agreement, the last day to take an option, and the day on which a volume or the ceiling will be used up, there is a warning"`
	WarnAt  *Decimal     `yaml:"warn_at,omitempty" doc:"share of a volume or of the ceiling from which there is a warning; required where there is one"`
}

// YearVolume is what is to be bought in a calendar year.
type YearVolume struct {
	Year   int `yaml:"year" doc:"calendar year"`
	Amount Ore `yaml:"amount" doc:"what is to be bought"`
}

// Option is a right to prolong an agreement. Once it is taken, it is left out and the
// agreement ends later.
type Option struct {
	Until    effect.Date `yaml:"until" doc:"first day on which a referral is no longer under the agreement, if the option is taken"`
	NoticeBy effect.Date `yaml:"notice_by" doc:"last day to say that it is taken"`
}

func (u *Upkeep) check(c *checker, path string) {
	t := c.t
	if len(u.Volume) == 0 && u.Ceiling == nil {
		if u.WarnAt != nil {
			c.fault(path+".warn_at", "there is neither a volume nor a ceiling to be a share of: add one, or leave warn_at out")
		}
	} else if u.WarnAt == nil {
		c.fault(path, "nothing says from which share of a volume or the ceiling there is a warning: add warn_at, such as 0.8")
	}
	if u.WarnAt != nil && (u.WarnAt.Rat().Sign() <= 0 || u.WarnAt.Rat().Cmp(big.NewRat(1, 1)) > 0) {
		c.fault(path+".warn_at", "%s is no share from which to warn, which lies above 0 and is at most 1", u.WarnAt)
	}
	last := t.Ends
	for i, o := range u.Options {
		at := fmt.Sprintf("%s.options[%d]", path, i)
		if o.Until <= last {
			c.fault(at+".until", "the option prolongs the agreement to %s, and it ends on %s without it: options stand in the order of time, and one that was taken is left out and moves ends", o.Until, last)
		}
		if o.NoticeBy < t.Starts || o.NoticeBy >= last {
			c.fault(at+".notice_by", "the last day to take the option is %s, which is not within the agreement from %s to %s", o.NoticeBy, t.Starts, last)
		}
		last = max(last, o.Until)
	}
	sum := new(big.Int)
	for i, v := range u.Volume {
		at := fmt.Sprintf("%s.volume[%d]", path, i)
		if v.Amount <= 0 {
			c.fault(at+".amount", "the volume %s is not above 0; leave a year out in which nothing is to be bought", v.Amount)
		}
		if slices.IndexFunc(u.Volume, func(w YearVolume) bool { return w.Year == v.Year }) < i {
			c.fault(at+".year", "the year %d stands twice", v.Year)
		}
		if from, to := t.Starts.Time().Year(), (last - 1).Time().Year(); v.Year < from || v.Year > to {
			c.fault(at+".year", "the agreement and its options run from %d to %d", from, to)
		}
		sum.Add(sum, big.NewInt(int64(v.Amount)))
	}
	switch {
	case u.Ceiling == nil:
	case *u.Ceiling <= 0:
		c.fault(path+".ceiling", "the ceiling %s is not above 0", *u.Ceiling)
	case sum.Cmp(big.NewInt(int64(*u.Ceiling))) > 0:
		c.fault(path+".ceiling", "the volumes of the years add up to more than the ceiling %s", *u.Ceiling)
	}
}

// Purchase is what was bought under an agreement in a calendar year.
type Purchase struct {
	Agreement string
	Year      int
	Amount    string // an exact decimal, in the currency of the agreement
	Unknown   int64  // participations of which nobody knows the price
}

// PurchaseSource says what purchases are told by.
type PurchaseSource string

// What purchases are told by. What was settled is the bonus alone, so that it tells
// them only where the bonus is all that is paid.
const (
	FromInvoices PurchaseSource = "invoices"
	FromPrices   PurchaseSource = "prices" // of the participations that were referred
	FromSettled  PurchaseSource = "settled"
)

// UpkeepRow is one thing to keep an eye on, as of a day.
//
// At the mean pace so far, what is agreed is used up on
//
//	day = from + (as_of + 1 - from) agreed / used, rounded down
//
// with from the first day of the agreement, or of the year if it is later.
type UpkeepRow struct {
	Agreement string         `col:"agreement_id" doc:"agreement"`
	What      string         `col:"what" doc:"volume (of a calendar year), ceiling, option or end"`
	Of        string         `col:"of" doc:"year of a volume; first day after the agreement, of an option if it is taken, and of the end; empty for the ceiling"`
	By        effect.Date    `col:"by" doc:"last day of the year or of the agreement; of an option the last day to take it"`
	Agreed    string         `col:"agreed" doc:"agreed amount, an exact decimal; null for an option and the end"`
	Used      string         `col:"used" doc:"what was bought of it, an exact decimal"`
	Share     float64        `col:"share" doc:"used / agreed"`
	From      PurchaseSource `col:"used_by" doc:"what used is told by: invoices, prices (of the participations referred) or settled (the bonus alone)"`
	Unknown   int64          `col:"n_without_price" doc:"of used_by prices: participations without a price, which are not in used"`
	UsedUp    effect.Date    `col:"used_up_on" doc:"day on which agreed is used up at the mean pace so far; null where it is not before the year or the agreement is over"`
	State     string         `col:"state" doc:"open; near (within the notice, or from warn_at on); reached (agreed is used); short (the year is over, and agreed was not used); passed (the day is over)"`
	Section   string         `col:"section" doc:"section of the source"`
}

// The things to keep an eye on, and how they stand.
const (
	UpkeepVolume  = "volume"
	UpkeepCeiling = "ceiling"
	UpkeepOption  = "option"
	UpkeepEnd     = "end"

	UpkeepOpen    = "open"
	UpkeepNear    = "near"
	UpkeepReached = "reached"
	UpkeepShort   = "short"
	UpkeepPassed  = "passed"
)

// The warnings of upkeep: a volume or the ceiling is used up or will be soon, an
// option can soon be taken no longer, the agreement ends soon or has ended.
const (
	WarnVolume  = "upkeep_volume"
	WarnCeiling = "upkeep_ceiling"
	WarnOption  = "upkeep_option"
	WarnEnd     = "upkeep_end"
)

// upkeep looks at what the terms ask to be kept an eye on.
func (s *settler) upkeep(lines []Line) (rows []UpkeepRow, warnings []Warning, err error) {
	for _, t := range s.terms {
		if t.Upkeep == nil {
			continue
		}
		b, err := s.bought(t, lines)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range t.upkeep(s.obs.AsOf, b) {
			rows = append(rows, row)
			if text := row.warning(t.Currency); text != "" {
				warnings = append(warnings, Warning{t.Agreement, "upkeep_" + row.What, text})
			}
		}
	}
	return rows, warnings, nil
}

// bought is what was bought under an agreement, by calendar year.
type bought struct {
	from    PurchaseSource
	amount  map[int]*big.Rat
	unknown map[int]int64
}

func (b *bought) add(year int, amount *big.Rat) {
	if b.amount[year] == nil {
		b.amount[year] = new(big.Rat)
	}
	b.amount[year].Add(b.amount[year], amount)
}

// in is what was bought in the years, all of them if none is given.
func (b *bought) in(years ...int) (used *big.Rat, unknown int64) {
	used = new(big.Rat)
	for year, x := range b.amount { // exact, so that the order does not matter
		if len(years) == 0 || slices.Contains(years, year) {
			used.Add(used, x)
			unknown += b.unknown[year]
		}
	}
	return used, unknown
}

func (s *settler) bought(t *Terms, lines []Line) (*bought, error) {
	out := &bought{cmp.Or(s.facts.PurchasesFrom, FromSettled), map[int]*big.Rat{}, map[int]int64{}}
	if out.from == FromSettled {
		for _, l := range lines {
			if l.Agreement == t.Agreement {
				p, err := effect.ParsePeriod(l.Period)
				if err != nil {
					return nil, fmt.Errorf("%w: %w", ErrFacts, err)
				}
				out.add(p.Start.Time().Year(), l.Amount.Rat())
			}
		}
		return out, nil
	}
	for _, p := range s.facts.Purchases {
		if p.Agreement != t.Agreement {
			continue
		}
		if !plain(p.Amount, len(p.Amount)) {
			return nil, fmt.Errorf("%w: what was bought under agreement %s in %d is no decimal", ErrFacts, p.Agreement, p.Year)
		}
		x, _ := new(big.Rat).SetString(p.Amount)
		out.add(p.Year, x)
		out.unknown[p.Year] += p.Unknown
	}
	return out, nil
}

func (t *Terms) upkeep(asOf effect.Date, b *bought) (out []UpkeepRow) {
	u := t.Upkeep
	ends := t.Ends
	for _, o := range u.Options {
		ends = max(ends, o.Until)
	}
	amount := func(row UpkeepRow, first, after effect.Date, agreed Ore, years ...int) {
		used, unknown := b.in(years...)
		row.Agreement, row.Section, row.From, row.Unknown, row.By = t.Agreement, u.Section, b.from, unknown, after-1
		row.Agreed, row.Used, row.Share, row.UsedUp = agreed.String(), exactText(used), shareOf(used, agreed.Rat()), effect.NoDate
		if used.Sign() > 0 && used.Cmp(agreed.Rat()) < 0 && first <= asOf && asOf < after-1 {
			days := new(big.Rat).Quo(new(big.Rat).Mul(big.NewRat(int64(asOf+1-first), 1), agreed.Rat()), used)
			if whole := new(big.Int).Quo(days.Num(), days.Denom()); whole.IsInt64() && whole.Int64() < int64(after-first) {
				row.UsedUp = first + effect.Date(whole.Int64())
			}
		}
		warn := new(big.Rat).Mul(u.WarnAt.Rat(), agreed.Rat())
		switch {
		case used.Cmp(agreed.Rat()) >= 0:
			row.State = UpkeepReached
		case asOf >= after-1:
			row.State = UpkeepShort
		case used.Cmp(warn) >= 0 || row.UsedUp != effect.NoDate && row.UsedUp <= asOf.Add(u.Notice):
			row.State = UpkeepNear
		default:
			row.State = UpkeepOpen
		}
		out = append(out, row)
	}
	volumes := slices.Clone(u.Volume)
	slices.SortFunc(volumes, func(a, b YearVolume) int { return a.Year - b.Year })
	for _, v := range volumes {
		year, _ := effect.ParsePeriod(fmt.Sprintf("%04d", v.Year)) // a year of the agreement's dates
		amount(UpkeepRow{What: UpkeepVolume, Of: year.Name}, max(year.Start, t.Starts), min(year.End, ends), v.Amount, v.Year)
	}
	if u.Ceiling != nil {
		amount(UpkeepRow{What: UpkeepCeiling}, t.Starts, t.Ends, *u.Ceiling)
	}
	day := func(what string, of, by effect.Date) {
		row := UpkeepRow{Agreement: t.Agreement, What: what, Of: of.String(), By: by, Share: math.NaN(), UsedUp: effect.NoDate, State: UpkeepOpen, Section: u.Section}
		switch {
		case asOf > by:
			row.State = UpkeepPassed
		case asOf.Add(u.Notice) >= by:
			row.State = UpkeepNear
		}
		out = append(out, row)
	}
	for _, o := range u.Options {
		day(UpkeepOption, o.Until, o.NoticeBy)
	}
	day(UpkeepEnd, t.Ends, t.Ends-1)
	return out
}

// shareOf is a part of a whole as a figure.
func shareOf(part, whole *big.Rat) float64 {
	x, _ := new(big.Rat).Quo(part, whole).Float64()
	return effect.Round(x)
}

// warning is what to do about the row, "" where there is nothing to do.
func (r *UpkeepRow) warning(c Currency) string {
	told := map[PurchaseSource]string{
		FromInvoices: "invoiced", FromPrices: "bought, by the prices of the participations referred", FromSettled: "settled (the bonus alone: without invoices or prices nobody knows more)",
	}[r.From]
	pace := ""
	if r.Unknown > 0 {
		pace = fmt.Sprintf(", and of %s nobody knows the price", count(r.Unknown, "participation"))
	}
	if r.UsedUp != effect.NoDate {
		pace += fmt.Sprintf("; at this pace it is used up on %s", r.UsedUp)
	}
	of := map[string]string{UpkeepVolume: "the volume of " + r.Of, UpkeepCeiling: "the ceiling of the agreement"}[r.What]
	switch r.What + " " + r.State {
	case UpkeepVolume + " " + UpkeepReached, UpkeepCeiling + " " + UpkeepReached:
		todo := "agree on more, or buy no more"
		if r.What == UpkeepCeiling {
			todo = "nothing more can be bought under it: a new tender is due"
		}
		return fmt.Sprintf("%s is used up: %s of %s %s are %s%s; %s", of, r.Used, r.Agreed, c.Unit(), told, pace, todo)
	case UpkeepVolume + " " + UpkeepNear, UpkeepCeiling + " " + UpkeepNear:
		return fmt.Sprintf("%s is nearly used up: %s of %s %s are %s%s", of, r.Used, r.Agreed, c.Unit(), told, pace)
	case UpkeepOption + " " + UpkeepNear:
		return fmt.Sprintf("the option to prolong the agreement to %s can be taken up to %s: decide, and say so by then", r.Of, r.By)
	case UpkeepEnd + " " + UpkeepNear:
		return fmt.Sprintf("the last day of referrals under the agreement is %s: take an option, or prepare a new tender", r.By)
	case UpkeepEnd + " " + UpkeepPassed:
		return fmt.Sprintf("the agreement ended on %s: later referrals are not under it", r.By)
	}
	return ""
}
