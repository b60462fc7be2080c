package jobeffekt

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/watch"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Watch says by what creaming, parking and the indicators of gaming are counted.
type Watch struct {
	Outcome    string   `yaml:"outcome,omitempty" doc:"outcome whose chance tells easy citizens from hard ones; left out: the first that is a share, or the first"`
	Covariates []string `yaml:"covariates,omitempty" doc:"what the chance is predicted by; left out: compare.covariates, or the covariates of compare.classes"`
	Sustained  string   `yaml:"sustained,omitempty" doc:"outcome after whose date exits are counted; left out: the first of the kind sustained"`
}

// Watched is what the step benchmark makes beside the benchmark: who was taken,
// who was helped, and the indicators of gaming.
type Watched struct {
	Creaming   []watch.CreamingRow
	Deciles    []watch.DecileRow
	Parking    []watch.ParkingRow
	Indicators []watch.Row
}

// watched is what the run file says of watching, with what it leaves out.
func (c *Config) watched() (outcome string, covariates []string, sustained string) {
	if w := c.Watch; w != nil {
		outcome, covariates, sustained = w.Outcome, w.Covariates, w.Sustained
	}
	share := ""
	for _, a := range c.Outcomes {
		if out, faults := a.outcome(); faults == nil && out.Measure.Unit() == effect.UnitShare && share == "" {
			share = a.Name
		}
		if a.Kind == KindSustained && sustained == "" {
			sustained = a.Name
		}
	}
	if outcome == "" {
		outcome = share
	}
	if outcome == "" && len(c.Outcomes) > 0 {
		outcome = c.Outcomes[0].Name
	}
	if len(covariates) == 0 {
		covariates = c.Compare.Covariates
	}
	if len(covariates) == 0 {
		covariates = c.classNames()
	}
	return outcome, covariates, sustained
}

// checkWatch finds outcomes that are not asked for, or not of the kind needed.
func (c *Config) checkWatch(fault func(path, format string, args ...any)) {
	if c.Watch == nil {
		return
	}
	names := c.outcomeNames()
	named := map[string]string{"outcome": c.Watch.Outcome, "sustained": c.Watch.Sustained}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		if name := named[key]; name != "" && !slices.Contains(names, name) {
			fault("watch."+key, "there is no outcome %q%s", name, strict.Suggest(name, names))
		}
	}
	for _, a := range c.Outcomes {
		if a.Name == c.Watch.Sustained && a.Name != "" && a.Kind != KindSustained {
			fault("watch.sustained", "%s is not of the kind sustained", a.Name)
		}
	}
}

// Watching counts creaming, parking and the indicators of gaming. The peers are
// those that [Estimate] chose; the dataset gives the consortia and the caseload.
func Watching(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations, peers []peer.Peer) (*Watched, error) {
	d := watch.Default()
	if c.Compare.MinN != 0 {
		d.MinN = c.Compare.MinN
	}
	if c.Compare.Confidence != 0 {
		d.Confidence = c.Compare.Confidence
	}
	d.Peers = map[string][]string{}
	for _, p := range peers {
		d.Peers[p.Municipality] = append(d.Peers[p.Municipality], p.Peer)
	}
	if ds.Has(ingest.Providers) {
		members, err := ds.Providers(ctx)
		if err != nil {
			return nil, err
		}
		d.Kin, d.Identities = effect.Kinship(members), effect.NewIdentities(members)
	}
	outcome, covariates, sustained := c.watched()
	chances, err := watch.Creaming(ctx, obs, d, outcome, covariates)
	if err != nil {
		return nil, fmt.Errorf("creaming: %w", err)
	}
	f := watch.Facts{Observations: obs, Sustained: sustained, Outcome: outcome}
	if ds.Has(ingest.Caseload) {
		if f.Caseload, err = c.caseload(ctx, ds); err != nil {
			return nil, err
		}
	}
	out := &Watched{Creaming: chances.Creaming, Deciles: chances.Deciles, Parking: chances.Parking}
	if out.Indicators, err = watch.Count(ctx, f, d); err != nil {
		return nil, fmt.Errorf("indicators: %w", err)
	}
	return out, nil
}
