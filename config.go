package jobeffekt

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/hierarchical"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Config is what a run file (jobeffekt.yaml) says: where the data are, what is
// asked of them, with whom cells are compared and which terms are settled. The
// zero value of a field left out means what its description says.
type Config struct {
	Data    string      `yaml:"data" doc:"folder of the dataset, relative to the run file; or a URL of an object store (s3, gs, azblob, file), for the program jobeffekt-cloud"`
	Out     string      `yaml:"out" doc:"folder the results go to, relative to the run file"`
	AsOf    effect.Date `yaml:"as_of" doc:"last day that counts, inclusive"`
	Formats []Format    `yaml:"formats,omitempty" doc:"formats of the result tables beside parquet"`

	Input       Input        `yaml:"input,omitempty" doc:"how the dataset's columns and codes map to the contract"`
	Cohort      Cohort       `yaml:"cohort" doc:"which participations are analysed"`
	Outcomes    []Asked      `yaml:"outcomes" doc:"what is asked of every participation"`
	Crosswalk   []Crosswalk  `yaml:"crosswalk,omitempty" doc:"match groups of one scheme that stand for those of another, moved as the rows are read; left out: none, and cases of different schemes never meet"`
	History     *History     `yaml:"history,omitempty" doc:"covariates from the spells before referral; left out: 52 weeks back, benefit runs followed for 260 weeks over breaks of 28 days"`
	Signals     *bool        `yaml:"signals,omitempty" doc:"write the signals of gaming per participation; left out: true"`
	Areas       Areas        `yaml:"areas,omitempty" doc:"area: [municipalities] that are one, as those that share a jobcentre: everything of the members counts as the area's; left out: none"`
	Peers       *Peers       `yaml:"peers,omitempty" doc:"which municipalities are comparable; left out: none, so that only comparisons at home are made"`
	Compare     Compare      `yaml:"compare" doc:"with whom and how cells are compared"`
	Views       *Views       `yaml:"views,omitempty" doc:"see citizens together in other ways than by provider: all of a municipality, own projects against providers, by consortium, through time; left out: in none"`
	Spending    *Spending    `yaml:"spending,omitempty" doc:"set what was spent (table spend) beside its citizens and their effects; left out: it is not"`
	Sensitivity *Sensitivity `yaml:"sensitivity,omitempty" doc:"look at every difference of the first method in other ways too; left out: in none"`
	BeforeAfter *BeforeAfter `yaml:"before_after,omitempty" doc:"compare municipalities before and after a change with municipalities without it; left out: not done"`
	Watch       *Watch       `yaml:"watch,omitempty" doc:"by what creaming, parking and the indicators of gaming are counted; left out: see its fields"`
	Rankings    []Ranking    `yaml:"ranking,omitempty" doc:"rank municipalities by observed less expected share, from the table municipalities; left out: none"`
	Terms       []string     `yaml:"terms,omitempty" doc:"terms files of the agreements, relative to the run file"`

	Disclosure *Disclosure `yaml:"disclosure,omitempty" doc:"what of the results may leave the house; left out: see its fields"`

	Blinded  bool   `yaml:"blinded,omitempty" doc:"do everything up to the diagnostics and write no effects, so that the diagnostics can be judged before anybody sees them"`
	Accepted string `yaml:"accepted,omitempty" doc:"results folder of a blinded run whose diagnostics were decided on, relative to the run file; for terms that pay only after that; a blinded run does not look at it"`

	// Path is the run file's own path; the paths in it are relative to its folder.
	Path string `yaml:"-"`
	// Keep lets [Run] keep the tables of steps that stand in the folder as it would
	// write them.
	Keep bool `yaml:"-"`
	// Progress, if not nil, is called as a run goes on, from one goroutine, when something
	// is done. How far the long parts are while they are done, an [effect.Meter] in the
	// context of the run tells.
	Progress func(Progress) `yaml:"-"`
	// Open opens data that are a URL. nil: data are a folder, and a URL is refused.
	Open Opener `yaml:"-"`
	// source is the file as it was read.
	source Source
}

// Format is a format of result tables.
type Format string

// Parquet tables are always written; CSV on request.
const CSV Format = "csv"

// Names lists the formats that can be asked for.
func (Format) Names() []string { return []string{string(CSV)} }

// Input says how the dataset maps to the data contract.
type Input struct {
	Columns        map[string]map[string]string `yaml:"columns,omitempty" doc:"table: {contract column: column in the input}"`
	Constants      map[string]map[string]string `yaml:"constants,omitempty" doc:"table: {contract column: one value for every row}"`
	States         map[string]effect.State      `yaml:"states,omitempty" doc:"code in the input: canonical state; canonical names stand for themselves"`
	Fixed          []string                     `yaml:"fixed,omitempty" doc:"columns of persons or participations that were known at the referral and cannot change since, so that they need no valid_from"`
	MaxRejectShare *float64                     `yaml:"max_reject_share,omitempty" doc:"share of a table's rows that may be rejected before the run stops; left out: 0.01"`
	Pseudonyms     *Pseudonyms                  `yaml:"pseudonyms,omitempty" doc:"make pseudonyms of identifiers as they are read; left out: they stay what they are"`
	Checksums      string                       `yaml:"checksums,omitempty" doc:"file of SHA-256 as sha256sum writes it, relative to the run file, which every file of the dataset that is read must be in and match; left out: nothing is compared"`
	RegistersReach *effect.Date                 `yaml:"registers_reach,omitempty" doc:"last day the registers are complete for; left out: the last day, up to as_of, on which a spell of the cases begins or ends"`
}

// Cohort says which participations are analysed.
type Cohort struct {
	Period effect.Period `yaml:"period,omitempty" doc:"period of the referrals: 2008, 2008H1, 2008Q3 or 2008-09; or give from and to"`
	From   *effect.Date  `yaml:"from,omitempty" doc:"first day of referral, in place of period"`
	To     *effect.Date  `yaml:"to,omitempty" doc:"day after the last day of referral"`
	// Municipalities narrow everything to their citizens, as if participations and
	// caseload had no rows of others.
	Municipalities []string `yaml:"municipalities,omitempty" doc:"municipalities, or areas, whose citizens alone are read; left out: all"`

	Take effect.Take `yaml:"take,omitempty" doc:"which of a person's participations under an agreement: first (if left out), last or each"`
}

// History says which covariates are read off the spells before referral. The zero value
// reads no weeks and no placebo: leave it out for the default.
type History struct {
	Weeks      []int `yaml:"weeks,omitempty" doc:"windows before referral in which weeks on each benefit and in work are counted; left out: none"`
	ElapsedMax int   `yaml:"elapsed_max,omitempty" doc:"weeks after which elapsed benefit duration stops counting; left out: it is not measured"`
	ElapsedGap int   `yaml:"elapsed_gap,omitempty" doc:"longest break, in days, that a benefit run survives"`
	Placebo    *int  `yaml:"placebo,omitempty" doc:"weeks before referral in which employment, and the history before them, are read for the placebo; 0 turns it off; left out: 26"`
}

// Compare says with whom and how cells are compared.
type Compare struct {
	Methods      []MethodName         `yaml:"methods,omitempty" doc:"methods of estimation, the first being the main one: balance (if left out), strata, regression; for description only, so that nothing is paid on them: matching, ipw, aipw, hierarchical"`
	Covariates   []string             `yaml:"covariates,omitempty" doc:"what every method but strata adjusts for: columns of persons and participations, age, and what history gives"`
	Balance      BalanceOptions       `yaml:"balance,omitempty" doc:"how balance is done, where not within the match group alone"`
	Classes      []Class              `yaml:"classes,omitempty" doc:"what strata classifies by"`
	Also         []effect.Comparators `yaml:"also,omitempty" doc:"comparators beside the peers and everybody else at home: other_providers, own_projects, without_offer (people on benefit without an offer: table caseload)"`
	ByPackage    bool                 `yaml:"by_package,omitempty" doc:"estimate each offer package of a provider too"`
	MinN         int                  `yaml:"min_n,omitempty" doc:"cases needed to rate a cell; left out: 30"`
	Confidence   float64              `yaml:"confidence,omitempty" doc:"confidence of the intervals; left out: 0.95"`
	Firth        bool                 `yaml:"firth,omitempty" doc:"regression fits shares by Firth's penalised likelihood, which exists also where covariates separate those who reached the outcome"`
	Matching     *Neighbours          `yaml:"matching,omitempty" doc:"how matching picks comparators; left out: the nearest one, at any distance"`
	Intercepts   hierarchical.Group   `yaml:"intercepts,omitempty" doc:"what has an intercept of its own in hierarchical; left out: municipality"`
	MaxUncovered *float64             `yaml:"max_uncovered,omitempty" doc:"share of a cell without comparators beyond which a method refuses; left out: 0.2"`
}

// BalanceOptions say how the method balance is done. The zero value balances the covariates
// within the match group.
type BalanceOptions struct {
	Ladder [][]Class     `yaml:"ladder,omitempty" doc:"rungs of exact classes beside the match group, the finest first; the first rung that holds is used, and the match group alone is always the last"`
	Also   []effect.Term `yaml:"also,omitempty" doc:"what is balanced beside the covariates: squares and zeros of numbers, products of all"`
}

// Class is one classification: of the strata method, or of a rung of balance.
type Class struct {
	Covariate string    `yaml:"covariate" doc:"column of persons or participations, age, or what history gives"`
	Cuts      []float64 `yaml:"cuts,omitempty" doc:"ascending points at which numbers are cut: 30 and 50 make <30, 30-<50 and >=50"`
}

// Neighbours says how the method matching picks comparators.
type Neighbours struct {
	Neighbours int     `yaml:"neighbours,omitempty" doc:"nearest comparators of each case, all ties beside them; left out: 1"`
	Caliper    float64 `yaml:"caliper,omitempty" doc:"greatest distance, in standard deviations of the propensity score; left out: any"`
	Exact      []Class `yaml:"exact,omitempty" doc:"classes in which a case and its comparators are the same"`
}

// ErrConfig is wrapped by errors about a run file that cannot be carried out.
var ErrConfig = errors.New("run file")

// LoadConfig reads and checks a run file. Faults in its text come all at once,
// as *strict.Faults with line, column and the nearest valid name.
func LoadConfig(path string) (*Config, error) {
	src, err := readUpTo(path, MaxTextBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c, err := ParseConfig(filepath.Base(path), src)
	if err != nil {
		return nil, err
	}
	c.Path = path
	c.source = Source{Bytes: int64(len(src)), SHA256: sha(src)}
	return c, nil
}

// Validate finds values that make no sense or contradict each other, as loading
// a run file does for its text; every fault comes at once.
func (c *Config) Validate() error {
	var faults strict.Gathered
	c.check(func(path, format string, args ...any) {
		faults.Add(nil, path, strict.Contradiction, format, args...)
	})
	return faults.Err()
}

// ParseConfig reads a run file's text; name stands for it in errors.
func ParseConfig(name string, src []byte) (*Config, error) {
	c := &Config{AsOf: effect.NoDate}
	doc, faults := strict.Decode(name, src, c)
	if err := faults.Err(); err != nil {
		// Checks of values against each other would only repeat what is wrong with
		// the values themselves.
		return nil, err
	}
	c.check(func(path, format string, args ...any) {
		faults.Add(doc, path, strict.Contradiction, format, args...)
	})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// resolve makes a path of the run file one from the working folder.
func (c *Config) resolve(path string) string {
	if filepath.IsAbs(path) || isURL(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.Path), path)
}

// signals says whether the signals of gaming are read.
func (c *Config) signals() bool { return c.Signals == nil || *c.Signals }

// history says which covariates are read off the spells.
func (c *Config) history() effect.History {
	if h := c.History; h != nil {
		return effect.History{Weeks: h.Weeks, ElapsedMax: h.ElapsedMax, ElapsedGap: h.ElapsedGap}
	}
	return effect.DefaultHistory()
}

// defaultPlacebo is how many weeks the placebo looks back, if not said.
const defaultPlacebo = 26

// placebo is how many weeks before referral the placebo covers; 0 for none.
func (c *Config) placebo() int {
	if c.History != nil && c.History.Placebo != nil {
		return *c.History.Placebo
	}
	return defaultPlacebo
}

// Study is what the run file asks of the cases.
func (c *Config) Study() effect.Study {
	s := effect.Study{AsOf: c.AsOf, RegistersReach: effect.NoDate, History: c.history(), Placebo: c.placebo(), Signals: c.signals()}
	s.Cohort = effect.Cohort{Period: c.Cohort.Period, Take: cmp.Or(c.Cohort.Take, effect.TakeFirst)}
	if c.Cohort.From != nil {
		s.Cohort.Period = effect.Period{Start: *c.Cohort.From, End: *c.Cohort.To}
	}
	if d := c.Input.RegistersReach; d != nil {
		s.RegistersReach = *d
	}
	for _, a := range c.Outcomes {
		out, _ := a.outcome() // Validate has found nothing wrong with it
		s.Outcomes = append(s.Outcomes, out)
	}
	return s
}

// classNames are the covariates that the strata method classifies by.
func (c *Config) classNames() []string {
	var out []string
	for _, class := range c.Compare.Classes {
		out = append(out, class.Covariate)
	}
	return out
}

// numbers are the columns that are outcomes.
func (c *Config) numbers() []string {
	var out []string
	for _, a := range c.Outcomes {
		if a.Column != "" {
			out = append(out, a.Column)
		}
	}
	return out
}

// amounts says whether an outcome counts hours, and whether one counts kroner.
func (c *Config) amounts() (hours, kroner bool) {
	for _, a := range c.Outcomes {
		hours, kroner = hours || a.Kind == KindHoursIn, kroner || a.Kind == KindEarningsIn
	}
	return hours, kroner
}

// controls says whether people on benefit without an offer are compared with.
func (c *Config) controls() bool { return slices.Contains(c.Compare.Also, effect.WithoutOffer) }

// IngestOptions say how the dataset is read: the mapping, and the covariates
// that no history gives. They are without the key of pseudonyms, which [Config.OpenData]
// reads.
func (c *Config) IngestOptions() ingest.Options {
	o := ingest.DefaultOptions()
	o.Columns, o.Constants, o.States = c.Input.Columns, c.Input.Constants, c.Input.States
	o.FixedCovariates, o.Crosswalk = c.Input.Fixed, c.crosswalks()
	if c.Input.MaxRejectShare != nil {
		o.MaxRejectShare = *c.Input.MaxRejectShare
	}
	o.Hours, o.Amounts = c.amounts()
	o.Municipalities = c.municipalities()
	derived := c.history().Names()
	var classified []string
	for _, class := range c.Compare.classified() {
		classified = append(classified, class.Covariate)
	}
	_, watched, _ := c.watched()
	for _, name := range slices.Concat(c.Compare.Covariates, classified, watched, c.numbers()) {
		if !slices.Contains(derived, name) && !slices.Contains(o.Covariates, name) {
			o.Covariates = append(o.Covariates, name)
		}
	}
	return o
}

// LoadTerms reads the terms files that the configuration names, each with the
// seals that lie beside it (see [SealsName]). Their faults come all at once.
func (c *Config) LoadTerms() ([]*bonus.Terms, error) {
	var out []*bonus.Terms
	var errs []error
	for _, path := range c.Terms {
		src, err := readUpTo(c.resolve(path), MaxTextBytes)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: terms: %w", ErrConfig, err))
			continue
		}
		t, err := bonus.ParseTerms(filepath.Base(path), src)
		if err == nil {
			t, err = readSeals(t, c.resolve(path))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, t)
	}
	return out, errors.Join(errs...)
}

// checkTerms says what the terms need and the job will not know.
func (c *Config) checkTerms(terms []*bonus.Terms) error {
	k := bonus.Known{Outcomes: map[string]effect.Unit{}, Peers: c.Peers != nil, ByPackage: c.Compare.ByPackage, PlaceboWeeks: c.placebo(), Confidence: cmp.Or(c.Compare.Confidence, 0.95)}
	for _, a := range c.Outcomes {
		if out, faults := a.outcome(); faults == nil {
			k.Outcomes[a.Name] = out.Measure.Unit()
			if out.Dated {
				k.Dated = append(k.Dated, a.Name)
			}
			if a.better() == profile.Low {
				k.Low = append(k.Low, a.Name)
			}
			if a.Kind == KindRelapse {
				k.DescribedOutcomes = append(k.DescribedOutcomes, a.Name)
			}
		}
	}
	k.Methods, k.Describe = c.Compare.payable()
	var errs []error
	files := map[string]string{}
	for _, t := range terms {
		if other, twice := files[t.Agreement]; twice {
			errs = append(errs, fmt.Errorf("%w: %s and %s are both terms of agreement %s", ErrConfig, other, t.File, t.Agreement))
		}
		files[t.Agreement] = t.File
		errs = append(errs, t.Check(k), c.checkTake(t))
	}
	errs = append(errs, bonus.Together(terms))
	return errors.Join(errs...)
}

// checkTake holds the cohort against who the terms credit.
func (c *Config) checkTake(t *bonus.Terms) error {
	each := c.Cohort.Take == effect.TakeEach
	switch {
	case t.EveryCase() && !each:
		return fmt.Errorf("%w: cohort.take: %s credits %s of a citizen's providers, which needs every case: say take: each", ErrConfig, t.File, t.Attribution.Credit)
	case each && t.Attribution == nil:
		return fmt.Errorf("%w: cohort.take: %s says nothing of attribution, and then only a citizen's first participation is paid on: leave take out, or settle it in a run of its own", ErrConfig, t.File)
	case each && t.PaysEffects():
		return fmt.Errorf("%w: cohort.take: %s pays on effects, which are those of citizens' first participations: leave take out, or settle it in a run of its own", ErrConfig, t.File)
	}
	return nil
}

// ResultsFolder is the folder of the results as seen from the working folder.
func (c *Config) ResultsFolder() string { return c.resolve(c.Out) }

// DataFolder is the folder of the dataset as seen from the working folder, or its
// URL. [Config.OpenData] opens either.
func (c *Config) DataFolder() string { return c.resolve(c.Data) }

// ConfigSchema is the JSON Schema of run files, made from the types.
func ConfigSchema() ([]byte, error) {
	return strict.Schema("A jobeffekt run file", &Config{}, func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[effect.Date]():
			return &jsonschema.Schema{Type: "string", Format: "date"}
		case reflect.TypeFor[effect.Span]():
			return &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+ (day|week|month|year)s?$`}
		case reflect.TypeFor[effect.Period]():
			return strict.Text(`^[0-9]{4}(H[12]|Q[1-4]|-(0[1-9]|1[0-2]))?$`)
		}
		return nil
	})
}
