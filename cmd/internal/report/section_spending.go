package report

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// spendingData sets own projects beside providers: what became of their citizens, and what
// was spent on them.
type spendingData struct {
	Forests []forest
	Caption string
	Years   []spentRow
	Outcome string // that says who is in work
	Notes   []string
}

// spentRow is what was spent on a channel in a year.
type spentRow struct {
	Channel, Who                        string // the municipality too where there are several, and the year
	Amount, Referred, Each, Work        string
	EachInWork, More, EachMore, Verdict string
	None                                string // why there are no citizens, in place of all figures about them
	IsSum                               bool
}

// spendingRow is a row of the table spending.
type spendingRow struct {
	Municipality   string  `col:"municipality"`
	Year           int64   `col:"year"`
	Channel        string  `col:"channel"`
	Amount         string  `col:"amount_dkk"`
	Participations count   `col:"n_participations"`
	Reached        count   `col:"n_reached"`
	Outcome        string  `col:"outcome"`
	Method         string  `col:"method"`
	Each           float64 `col:"cost_per_participation"`
	EachReached    float64 `col:"cost_per_reached"`
	EachExtra      float64 `col:"cost_per_extra"`
	ExtraLow       float64 `col:"cost_per_extra_low"`
	ExtraHigh      float64 `col:"cost_per_extra_high"`
	NoEach         string  `col:"no_cost_per_participation"`
	NoReached      string  `col:"no_cost_per_reached"`
	NoExtra        string  `col:"no_cost_per_extra"`
	Difference     float64 `col:"difference"`
	Low            float64 `col:"low"`
	High           float64 `col:"high"`
	Suppressed     string  `col:"suppressed"`
}

// spending shows own projects against providers, each against similar citizens, with what was
// spent on them beside it.
func (b *builder) spending() (section, bool) {
	var d spendingData
	var lead []string
	for _, part := range []effect.Part{effect.Total, effect.Provider} {
		all := b.channels(part)
		if len(all) == 0 {
			continue
		}
		f := b.channelForest("channels-"+string(part), part, all)
		f.First = len(d.Forests) == 0
		d.Forests = append(d.Forests, f)
		if part != effect.Provider {
			continue
		}
		// Own projects against others at home are own projects against providers.
		for _, r := range all {
			if r.Provider == effect.ChannelOwn && r.Group == effect.All {
				s := b.saying("", r.figures, r.Unit)
				who := ""
				if len(b.about) > 1 {
					who = b.municipality(r.Municipality) + ": "
				}
				lead = append(lead, who+b.T("spending.lead", "outcome", lower(b.outcome(r.Outcome)), "says", s.Short))
			}
		}
	}
	leftOut := b.leftOut()
	for _, r := range rows[spendingRow](b, jobeffekt.TableSpending) {
		if !slices.Contains(b.about, r.Municipality) || r.Method != "" && r.Method != b.method || leftOut[r.Year] {
			continue
		}
		d.Outcome = cmp.Or(r.Outcome, d.Outcome)
		d.Years = append(d.Years, b.spent(r))
		if !math.IsNaN(r.Each) && len(b.about) == 1 && (r.Channel == effect.ChannelProvider || r.Channel == effect.ChannelOwn) {
			lead = append(lead, b.T("spending.each_"+r.Channel, "amount", b.kroner(r.Each), "year", strconv.FormatInt(r.Year, 10)))
		}
	}
	if len(d.Forests) == 0 && len(d.Years) == 0 {
		return section{}, false
	}
	if d.Outcome != "" {
		d.Caption = b.T("spending.caption", "outcome", lower(b.outcome(d.Outcome)))
	}
	if len(leftOut) > 0 {
		var years []string
		for _, y := range slices.Sorted(maps.Keys(leftOut)) {
			years = append(years, strconv.FormatInt(y, 10))
		}
		d.Notes = append(d.Notes, b.T("spending.left_out", "years", b.l.List(years)))
	}
	return b.section("spending", strings.Join(lead, " "), d), true
}

// channels are the rows of the view by channel, as those of providers whose id is the channel:
// all match groups together first.
func (b *builder) channels(part effect.Part) []benchmarkRow {
	var out []benchmarkRow
	for _, r := range b.comparison {
		if r.View != effect.ViewChannel || r.Period != "" || r.Package != "" || r.Part != part || len(b.outcomes) == 0 || r.Outcome != b.outcomes[0] || !slices.Contains(b.about, r.Municipality) {
			continue
		}
		out = append(out, benchmarkRow{
			Outcome: r.Outcome, Unit: r.Unit, Municipality: r.Municipality, Scheme: r.Scheme, Group: r.Group, Provider: r.Of, Part: r.Part, figures: r.figures,
		})
	}
	return out
}

// channelForest is the forest of channels.
func (b *builder) channelForest(id string, part effect.Part, of []benchmarkRow) forest {
	// A channel is called by its name, whatever the providers of the data are called.
	c := *b
	c.names = map[string]string{}
	for _, r := range of {
		c.names[r.Provider] = b.channel(r.Provider)
	}
	return c.forest(id, of[0].Outcome, part, of)
}

// channel is a channel in words.
func (b *builder) channel(name string) string { return capital(b.l.Code("spending", name)) }

// spent is a row of money with its citizens.
func (b *builder) spent(r spendingRow) spentRow {
	out := spentRow{Channel: b.channel(r.Channel), Who: strconv.FormatInt(r.Year, 10), IsSum: r.Channel == ingest.ChannelTotal || r.Channel == jobeffekt.ChannelSumOfParts}
	if len(b.about) > 1 {
		out.Who = b.municipality(r.Municipality) + ", " + out.Who
	}
	out.Amount = b.T("page.missing")
	if x, ok := new(big.Rat).SetString(r.Amount); ok {
		kr, _ := x.Float64()
		out.Amount = b.kroner(kr)
	}
	if r.NoEach != "" && r.NoEach == r.NoReached && r.NoEach == r.NoExtra {
		out.None = b.l.Code("spending", "no_"+r.NoEach)
		return out
	}
	// What is withheld, what there is none of and what is not told are different things.
	of := func(x float64, why string, say func(float64) string) string {
		switch {
		case r.Suppressed != "" && math.IsNaN(x):
			return b.T("bonus.withheld")
		case why != "":
			return b.l.Code("spending", "no_"+why)
		case math.IsNaN(x):
			return b.T("page.missing")
		}
		return say(x)
	}
	out.Referred = of(r.Participations, r.NoEach, b.l.Count)
	out.Each = of(r.Each, r.NoEach, b.kroner)
	out.Work = of(r.Reached, r.NoReached, b.l.Count)
	out.EachInWork = of(r.EachReached, r.NoReached, b.kroner)
	no := r.NoExtra
	if no == jobeffekt.NoCostIntervalZero || no == jobeffekt.NoCostFewer {
		no = "" // the difference is told, the cost of one more is not
	}
	out.More = of(r.Difference, no, func(x float64) string {
		return b.l.Signed(100*x, 1) + " (" + b.T("effects.interval", "low", b.l.Signed(100*r.Low, 1), "high", b.l.Signed(100*r.High, 1)) + ")"
	})
	out.EachMore = of(r.EachExtra, r.NoExtra, func(x float64) string {
		return b.kroner(x) + " (" + b.T("effects.interval", "low", b.kroner(r.ExtraLow), "high", b.kroner(r.ExtraHigh)) + ")"
	})
	return out
}

// kroner is an amount in whole kroner.
func (b *builder) kroner(x float64) string { return b.amount(100 * math.Round(x)) }

// leftOut are the years that the cohort does not hold whole, so that there is money without
// its citizens.
func (b *builder) leftOut() map[int64]bool {
	years := map[int64]bool{}
	for _, r := range rows[spendingRow](b, jobeffekt.TableSpending) {
		if slices.Contains(b.about, r.Municipality) && r.NoEach == jobeffekt.NoCostNotTheYear {
			years[r.Year] = true
		}
	}
	return years
}
