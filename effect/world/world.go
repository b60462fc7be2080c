// Package world simulates citizens, referrals and providers whose true effects
// are known, as the tables of the data contract. It does no input or output.
//
// The law of a world, in the order of a citizen's life:
//
//   - A citizen lives in a municipality and has a sex, a birth date, an education
//     and an origin. The shares of education and origin differ between
//     municipalities, with their framework conditions.
//   - The referral falls on any day of the referral period. The years before it
//     are a weekly Markov chain lived backwards from a week on benefit, driven by
//     the characteristics. Two things in it matter later: the days of work in the
//     364 days before referral (none; under 91; 91 or more) and whether any of
//     those days was on sickness benefit.
//   - The match group depends on these two and on chance.
//   - The municipality's own projects and its providers take the citizen with
//     weights that depend on a count of points (see Options.Selection): providers
//     differ in their case mix, but only by what the data show.
//   - From the first week that starts after the referral day a weekly chain runs.
//     The odds of finding a job in a week are a product of factors for sex, age
//     (under 30, 30 to 49, 50 and over, in years of 365.25 days), education,
//     origin, work and sickness before referral, match group, the municipality's
//     framework conditions, exp(its own effect) and exp(the provider's effect).
//     The odds of losing it depend on age, education, work and sickness.
//   - The provider's effect is multiplied by the strength of the package, by 0.5
//     for those who drop out and by 0 for those who never start. The municipality's
//     own projects have no effect. A second referral has none of its own.
//   - Every week 3 in 10,000 emigrate and 2 in 10,000 die, whoever they are. So
//     the citizens who remain are a chance selection, and the truth about them
//     (see Truth) is the truth among those whom estimators analyse.
//
// A draw is a hash of seed, stream, person and number: a citizen's life is the
// same however many others there are, in whatever order they are made, and
// wherever the extraction date cuts it off. What decides a draw is built from
// sums, products and quotients of tabled numbers, with explicit conversions
// where a platform may fuse a product into a sum; the few exponentials are taken
// once and rounded to nine decimals. So the rows are the same on every platform,
// and the truth is up to its last places.
//
// Municipalities have their real names and codes; whatever is said about them,
// and every provider, is invented.
package world

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ErrOptions is wrapped by the error about impossible options.
var ErrOptions = errors.New("world: impossible options")

// Options describe a world. Start from Default or Demo.
type Options struct {
	Seed    uint64
	Persons int // citizens, each referred at least once; ids 1 to Persons

	Municipalities           int     // the first n of a fixed list that starts with 751 Aarhus
	FocalShare               float64 // share of the citizens in the first of them; 0: by population, as the others
	ProvidersPerMunicipality int     // at most 26; ids L<code>-1, L<code>-2, ...

	MatchScheme string
	MatchGroups []string // nearest to the labour market first
	Packages    []Package

	From, To     effect.Date // first referrals fall in [From, To)
	Extracted    effect.Date // last day the registers have seen
	HistoryWeeks int         // weeks before referral, at least 104

	// The true effects on the log-odds of finding a job in a week are normal with
	// these standard deviations, limited to [-3, 3] and rounded to four decimals.
	MunicipalitySD float64
	ProviderSD     float64
	// Effects sets effects by municipality code or provider id instead.
	Effects map[string]float64

	// Selection is how strongly providers differ in their case mix. A citizen has
	// 0 to 6 points: 0 to 2 for work before referral, 0 to 2 for education, 1
	// for no sickness, 1 for being under 50. Providers 1, 4, ... weigh a citizen
	// by exp(Selection * (points - 3)), providers 2, 5, ... by the inverse, the
	// others and the own projects not at all.
	Selection float64

	OwnShare     float64 // of citizens, to the municipality's own projects (at 3 points)
	NoShowShare  float64 // of referrals, never starting
	DropoutShare float64 // of those who start, ending early
	RepeatShare  float64 // of provider referrals, referred again 13 to 51 weeks later if then on benefit

	// A spell that starts in the last LateWeeks weeks up to Extracted has not yet
	// reached the registers with probability LateShare. The spell before it has
	// its end date all the same.
	LateWeeks int
	LateShare float64
}

// Package is an offer package of every agreement.
type Package struct {
	ID          string
	JobOriented bool
	Share       float64 // of referrals to providers; shares need not sum to 1
	Strength    float64 // the provider's effect is multiplied by this
	Weeks       int     // length of a completed course
	Price       float64 // kr. per participation at the cheapest provider
}

// Default is a middling world of 20 municipalities with three providers each.
func Default() Options {
	return Options{
		Seed: 1, Persons: 10_000, Municipalities: 20, ProvidersPerMunicipality: 3,
		MatchScheme: "match5_2004", MatchGroups: []string{"4", "5"},
		Packages: []Package{
			{ID: "P1", JobOriented: true, Share: 0.4, Strength: 1.2, Weeks: 13, Price: 14_000},
			{ID: "P2", JobOriented: true, Share: 0.3, Strength: 1, Weeks: 26, Price: 22_500},
			{ID: "P3", Share: 0.3, Strength: 0.6, Weeks: 20, Price: 17_000},
		},
		From: effect.NewDate(2008, 1, 1), To: effect.NewDate(2009, 1, 1),
		Extracted: effect.NewDate(2010, 6, 30), HistoryWeeks: 130,
		MunicipalitySD: 0.1, ProviderSD: 0.25, Selection: 0.25,
		OwnShare: 0.3, NoShowShare: 0.08, DropoutShare: 0.2, RepeatShare: 0.1,
		LateWeeks: 8, LateShare: 0.2,
	}
}

// Demo is the world of the demonstration: Aarhus and eleven others. In Aarhus
// provider 1 takes the citizens nearest to work and adds nothing, provider 2
// takes those furthest from it and adds much, provider 3 takes anyone and harms.
func Demo() Options {
	o := Default()
	o.Seed, o.Persons, o.Municipalities, o.FocalShare = 2008, 8_000, 12, 0.3
	o.Effects = map[string]float64{"751": -0.1, "L751-1": 0, "L751-2": 0.7, "L751-3": -0.6}
	return o
}

// World makes the tables of one world. It is read-only and safe for concurrent
// use.
type World struct {
	o        Options
	places   []place
	packages []float64 // cumulative shares
	groups   []float64 // factor of each match group on finding a job
	keys     [streams]uint64

	employers []string // employersPerPlace of each place
}

// place is a municipality as the law knows it.
type place struct {
	Municipality
	index        int
	share, until float64 // of citizens: its share, and the sum up to it
	conditions   float64 // factor of the framework conditions on finding a job
	effect       float64 // log-odds
	factor       float64 // exp(effect)
	education    [3]float64
	origin       [3]float64
	choices      []choice // own projects, then the providers

	custom      float64 // points of on_benefit_pct that are the municipality's own
	ownCost     float64 // kr. for a participation in an own project
	unallocated float64 // spent on no channel, as a share of the channels together
}

// choice is where a citizen can be referred.
type choice struct {
	Provider           // zero for own projects
	effect   float64   // log-odds
	factors  []float64 // by package: full effect, then effect of a dropout
	weights  [points]float64
}

// points is the number of values the count of Options.Selection can have.
const points = 7

// New makes a world, or returns an error that names every impossible option.
func New(o Options) (*World, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Packages, o.MatchGroups = slices.Clone(o.Packages), slices.Clone(o.MatchGroups)
	w := &World{o: o, packages: make([]float64, len(o.Packages))}
	for s := range w.keys {
		w.keys[s] = mix(mix(o.Seed) + uint64(s))
	}
	sum := 0.0
	for i, p := range o.Packages {
		sum += p.Share
		w.packages[i] = sum
	}
	for g := range o.MatchGroups {
		w.groups = append(w.groups, exp(-0.25*(float64(g)-float64(len(o.MatchGroups)-1)/2)))
	}
	for i := range employersPerPlace * o.Municipalities {
		w.employers = append(w.employers, fmt.Sprintf("E%04d", i+1))
	}
	unused := maps.Clone(o.Effects)
	draw := func(r *draws, id string, sd float64) float64 {
		// Drawn even when it is not used, so that one explicit effect moves no other.
		z := sd * distuv.UnitNormal.Quantile(0.5*0x1p-53+r.next())
		if v, ok := o.Effects[id]; ok {
			delete(unused, id)
			return v
		}
		return math.Round(1e4*min(max(z, -maxEffect), maxEffect)) / 1e4
	}
	everyone := 0.0
	for _, t := range towns[:o.Municipalities] {
		everyone += float64(t.population)
	}
	until := 0.0
	for m, t := range towns[:o.Municipalities] {
		r := w.draws(placeStream, int64(m))
		p := w.newPlace(m, t, &r)
		money := w.draws(moneyStream, int64(m))
		p.custom, p.ownCost, p.unallocated = 1.5*money.next()-0.75, 16_000+8_000*money.next(), 0.04+0.1*money.next()
		p.share = float64(t.population) / everyone
		if o.FocalShare > 0 && o.Municipalities > 1 {
			if m == 0 {
				p.share = o.FocalShare
			} else {
				p.share = (1 - o.FocalShare) * float64(t.population) / (everyone - float64(towns[0].population))
			}
		}
		until += p.share
		p.until = until
		p.effect = draw(&r, p.Code, o.MunicipalitySD)
		p.factor = exp(p.effect)
		for c := range p.choices {
			if c > 0 {
				p.choices[c].effect = draw(&r, p.choices[c].ID, o.ProviderSD)
			}
			for _, k := range o.Packages {
				p.choices[c].factors = append(p.choices[c].factors,
					exp(p.choices[c].effect*k.Strength), exp(p.choices[c].effect*k.Strength*dropoutEffect))
			}
		}
		w.places = append(w.places, p)
	}
	if len(unused) > 0 {
		return nil, fmt.Errorf("%w: Effects names %s, which the world does not have",
			ErrOptions, strings.Join(slices.Sorted(maps.Keys(unused)), ", "))
	}
	return w, nil
}

const (
	maxEffect         = 3
	dropoutEffect     = 0.5
	employersPerPlace = 60
)

// exp is e^x to nine decimals: the last places of math.Exp differ between
// platforms.
func exp(x float64) float64 { return math.Round(1e9*math.Exp(x)) / 1e9 }

func (o *Options) check() error {
	var bad []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	share := func(name string, v float64) {
		need(v >= 0 && v <= 1, "%s is %v, not a share from 0 to 1", name, v)
	}
	need(o.Persons >= 1 && o.Persons <= 1e9, "Persons is %d, not 1 to 1,000,000,000", o.Persons)
	need(o.Municipalities >= 1 && o.Municipalities <= len(towns), "Municipalities is %d, not 1 to %d", o.Municipalities, len(towns))
	need(o.ProvidersPerMunicipality >= 0 && o.ProvidersPerMunicipality <= 26, "ProvidersPerMunicipality is %d, not 0 to 26", o.ProvidersPerMunicipality)
	need(o.OwnShare > 0 || o.ProvidersPerMunicipality > 0, "nobody to refer to: OwnShare and ProvidersPerMunicipality are 0")
	need(o.MatchScheme != "", "MatchScheme is empty")
	need(len(o.MatchGroups) > 0, "MatchGroups is empty")
	need(len(o.Packages) > 0, "Packages is empty")
	seen := map[string]bool{}
	for _, g := range o.MatchGroups {
		need(g != "" && !seen[g], "MatchGroups has an empty or repeated name %q", g)
		seen[g] = true
	}
	clear(seen)
	shares := 0.0
	for _, p := range o.Packages {
		need(p.ID != "" && !seen[p.ID], "Packages has an empty or repeated id %q", p.ID)
		seen[p.ID] = true
		need(p.Share >= 0 && p.Share < math.Inf(1), "package %q: Share is %v, not a number from 0", p.ID, p.Share)
		need(math.Abs(p.Strength) <= 3, "package %q: Strength is %v, not -3 to 3", p.ID, p.Strength)
		need(p.Weeks >= 2 && p.Weeks <= 520, "package %q: Weeks is %d, not 2 to 520", p.ID, p.Weeks)
		need(p.Price >= 0 && p.Price <= 1e9, "package %q: Price is %v, not 0 to 1e9", p.ID, p.Price)
		shares += p.Share
	}
	need(len(o.Packages) == 0 || shares > 0, "no package has a Share")
	need(o.HistoryWeeks >= 104 && o.HistoryWeeks <= 1040, "HistoryWeeks is %d, not 104 to 1040", o.HistoryWeeks)
	first, last := effect.NewDate(1980, 1, 1), effect.NewDate(2180, 1, 1)
	need(o.From >= first && o.To <= last, "the referral period %s to %s is not within %s to %s", o.From, o.To, first, last)
	need(o.From < o.To, "To (%s) is not after From (%s)", o.To, o.From)
	need(o.To <= o.Extracted+1, "Extracted (%s) is before the last referral (the day before %s)", o.Extracted, o.To)
	need(o.Extracted-o.From <= 20*366, "Extracted (%s) is more than 20 years after From (%s)", o.Extracted, o.From)
	need(o.MunicipalitySD >= 0 && o.MunicipalitySD <= 2, "MunicipalitySD is %v, not 0 to 2", o.MunicipalitySD)
	need(o.ProviderSD >= 0 && o.ProviderSD <= 2, "ProviderSD is %v, not 0 to 2", o.ProviderSD)
	need(math.Abs(o.Selection) <= 2, "Selection is %v, not -2 to 2", o.Selection)
	for _, id := range slices.Sorted(maps.Keys(o.Effects)) {
		need(math.Abs(o.Effects[id]) <= maxEffect, "Effects[%q] is %v, not -%d to %d", id, o.Effects[id], maxEffect, maxEffect)
	}
	share("FocalShare", o.FocalShare)
	share("OwnShare", o.OwnShare)
	share("NoShowShare", o.NoShowShare)
	share("DropoutShare", o.DropoutShare)
	share("RepeatShare", o.RepeatShare)
	share("LateShare", o.LateShare)
	need(o.LateWeeks >= 0 && o.LateWeeks <= 520, "LateWeeks is %d, not 0 to 520", o.LateWeeks)
	if len(bad) > 0 {
		return fmt.Errorf("%w: %s", ErrOptions, strings.Join(bad, "; "))
	}
	return nil
}
