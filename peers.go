package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Peers says which municipalities are comparable: by framework conditions or
// by an explicit list.
type Peers struct {
	By         peer.By             `yaml:"by,omitempty" doc:"way of being close: euclidean (if left out), mahalanobis, ward or expected_share"`
	Conditions []string            `yaml:"conditions,omitempty" doc:"framework conditions: numeric columns of municipalities"`
	Year       int                 `yaml:"year,omitempty" doc:"year of the framework conditions"`
	K          int                 `yaml:"k,omitempty" doc:"number of peers: the k nearest; not with ward"`
	Clusters   int                 `yaml:"clusters,omitempty" doc:"ward: number of clusters; all others of one's cluster are peers"`
	Share      string              `yaml:"share,omitempty" doc:"expected_share: column of municipalities with the observed share that the conditions are to explain; each municipality's own is left out of its expectation"`
	Expected   string              `yaml:"expected,omitempty" doc:"expected_share: column of municipalities with the expected share, in place of conditions and share"`
	MinSize    float64             `yaml:"min_size,omitempty" doc:"population under which a municipality is nobody's peer; left out: any"`
	Exclude    []string            `yaml:"exclude,omitempty" doc:"municipalities that are nobody's peers"`
	List       map[string][]string `yaml:"list,omitempty" doc:"municipality: [its peers], in place of all the keys above"`
	Recorded   string              `yaml:"recorded,omitempty" doc:"file in which the choice was recorded beforehand, relative to the run file; a run stops where its peers differ from the latest choice in it"`
}

// PeerChoice is which municipalities were chosen as comparable, before any
// outcome was looked at.
type PeerChoice struct {
	Peers          []peer.Peer
	PeerConditions []peer.ConditionRow
	PeerStability  []peer.StabilityRow
	Recorded       *Choice // the latest that was recorded, where the run file names a file
	// Rejects are the bad rows that had no say, of [ChoosePeers]; a run tells them among
	// its own.
	Rejects []ingest.Reject

	names map[string]string // of municipalities, as far as they are known; for Text
}

// by is the way of being close.
func (p *Peers) by() peer.By {
	switch {
	case len(p.List) > 0:
		return peer.Listed
	case p.By == "":
		return peer.Euclidean
	}
	return p.By
}

// check finds keys that do not go together.
func (p *Peers) check(fault func(path, format string, args ...any)) {
	given := map[string]bool{
		"conditions": len(p.Conditions) > 0, "year": p.Year != 0, "k": p.K != 0, "by": p.By != "", "clusters": p.Clusters != 0,
		"share": p.Share != "", "expected": p.Expected != "", "min_size": p.MinSize != 0, "exclude": len(p.Exclude) > 0,
	}
	byConditions := given["conditions"] || given["k"] || given["year"]
	needs, may := []string{"conditions", "year", "k"}, []string{"by", "min_size", "exclude"}
	switch {
	case p.by() == peer.Listed:
		needs, may = nil, nil
	case p.by() == peer.Ward:
		needs = []string{"conditions", "year", "clusters"}
	case p.by() == peer.ExpectedShare && given["expected"]:
		needs = []string{"expected", "year", "k"}
	case p.by() == peer.ExpectedShare:
		needs = []string{"conditions", "share", "year", "k"}
	}
	switch {
	case byConditions && p.by() == peer.Listed, len(p.List) == 0 && !slices.Contains(slices.Collect(maps.Values(given)), true):
		fault("peers", "give either conditions, year and k, or a list")
	case !slices.ContainsFunc(needs, func(key string) bool { return !given[key] }):
	case p.By == "":
		fault("peers", "choosing peers by framework conditions needs conditions, year and k")
	case p.by() == peer.ExpectedShare && !given["expected"]:
		fault("peers", "choosing peers by %s needs conditions, share, year and k; or expected, year and k", p.By)
	default:
		fault("peers", "choosing peers by %s needs %s and %s", p.By, strings.Join(needs[:len(needs)-1], ", "), needs[len(needs)-1])
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if given[key] && !slices.Contains(needs, key) && !slices.Contains(may, key) && !(byConditions && p.by() == peer.Listed) {
			fault("peers."+key, "this does not go with peers by %s", p.by())
		}
	}
	if given["k"] && p.K < effect.MinPeers {
		fault("peers.k", "%d peers or more are needed to tell how much municipalities differ; with fewer every comparison is refused", effect.MinPeers)
	}
	if given["clusters"] && p.Clusters < 2 {
		fault("peers.clusters", "give 2 clusters or more")
	}
	if !(p.MinSize >= 0) || math.IsInf(p.MinSize, 0) {
		fault("peers.min_size", "a population is 0 or more")
	}
	twice(fault, "peers.conditions", p.Conditions)
	twice(fault, "peers.exclude", p.Exclude)
	if p.Share != "" && slices.Contains(p.Conditions, p.Share) {
		fault("peers.share", "%s is a framework condition too, and would explain itself", p.Share)
	}
	for _, m := range slices.Sorted(maps.Keys(p.List)) {
		list, distinct := p.List[m], map[string]bool{}
		for i, peer := range list {
			switch at := fmt.Sprintf("peers.list.%s[%d]", m, i); {
			case peer == m:
				fault(at, "a municipality is not its own peer")
			case distinct[peer]:
				fault(at, "this peer stands twice")
			default:
				distinct[peer] = true
			}
		}
		if len(distinct) < effect.MinPeers {
			fault("peers.list."+m, "%d peers or more are needed to tell how much municipalities differ; with fewer every comparison is refused", effect.MinPeers)
		}
	}
}

// checkMerged finds municipalities named among the peers, or before and after, that
// are in an area.
func (c *Config) checkMerged(fault func(path, format string, args ...any)) {
	merged := func(at, m string) {
		if a := c.inArea(m); a != "" {
			fault(at, "municipality %s is in area %s; name the area", m, a)
		}
	}
	if b := c.BeforeAfter; b != nil {
		for _, m := range slices.Sorted(maps.Keys(b.Since)) {
			merged("before_after.since."+m, m)
		}
		for i, m := range b.Among {
			merged(fmt.Sprintf("before_after.among[%d]", i), m)
		}
		for i, m := range b.Exclude {
			merged(fmt.Sprintf("before_after.exclude[%d]", i), m)
		}
	}
	if c.Peers == nil {
		return
	}
	for i, m := range c.Peers.Exclude {
		merged(fmt.Sprintf("peers.exclude[%d]", i), m)
	}
	for _, m := range slices.Sorted(maps.Keys(c.Peers.List)) {
		merged("peers.list."+m, m)
		for i, p := range c.Peers.List[m] {
			merged(fmt.Sprintf("peers.list.%s[%d]", m, i), p)
		}
	}
}

// choosesPeers says whether peers are chosen by framework conditions.
func (c *Config) choosesPeers() bool { return c.Peers != nil && len(c.Peers.List) == 0 }

// peerColumns are the columns of municipalities that the choice rests on.
func (p *Peers) peerColumns() []string {
	out := slices.Clone(p.Conditions)
	for _, name := range []string{p.Share, p.Expected} {
		if name != "" {
			out = append(out, name)
		}
	}
	if p.MinSize > 0 {
		out = append(out, population)
	}
	return out
}

// checkConditions says which framework conditions no municipality has.
func (c *Config) checkConditions(conditions []ingest.Condition) error {
	return checkColumns(conditions, c.Peers.Year, c.Peers.peerColumns())
}

// checkColumns says which of the columns no municipality has in a year.
func checkColumns(conditions []ingest.Condition, year int, columns []string) error {
	found := map[string]bool{}
	for _, row := range conditions {
		if row.Year == year {
			for name := range row.Values {
				found[name] = true
			}
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("%w: table %s has no framework conditions for %d", ErrConfig, ingest.Municipalities, year)
	}
	var errs []error
	for _, name := range columns {
		if !found[name] {
			errs = append(errs, fmt.Errorf("%w: no municipality has the framework condition %q in %d%s", ErrConfig, name, year, strict.Suggest(name, slices.Sorted(maps.Keys(found)))))
		}
	}
	return errors.Join(errs...)
}

// ChoosePeers chooses the peers as a run does, from the framework conditions and
// from who has participations in the cohort. It reads no spells, no covariates and
// no outcomes; of peer_strata it uses the municipalities alone. Recorded is the
// latest choice of the file that [RecordPeers] adds to, nil where there is none yet;
// [PeerChoice.Text] says whether the peers are those.
func ChoosePeers(ctx context.Context, c *Config) (*PeerChoice, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Peers == nil {
		return nil, fmt.Errorf("%w: there are no peers to choose: the run file has no key peers", ErrConfig)
	}
	options := c.IngestOptions()
	options.Covariates, options.Hours, options.Amounts = nil, false, false
	ds, err := c.openData(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := c.checkSums(ctx, ds); err != nil {
		return nil, err
	}
	plain := *c
	plain.Compare.Also = nil // controls have no say in the choice
	cases, _, err := plain.readCases(ctx, ds)
	if err != nil {
		return nil, err
	}
	_, aggregated, conditions, err := reference(ctx, ds, c)
	if err != nil {
		return nil, err
	}
	out, err := choosePeers(c, conditions, inCohort(cases, c.Study().Cohort.Select(cases)), aggregated)
	if err != nil {
		return nil, err
	}
	out.Rejects = ds.Rejects()
	if out.names, err = c.called(ctx, ds); err != nil {
		return nil, err
	}
	if out.Recorded, err = c.latestChoice(); errors.Is(err, errNotRecorded) {
		err = nil
	}
	return out, err
}

// inCohort are the municipalities with participations in the cohort.
func inCohort(cases *effect.Cases, reasons []effect.Reason) map[string]bool {
	out := map[string]bool{}
	for i, r := range reasons {
		if !r.OutsideCohort() {
			out[cases.Municipality.At(i)] = true
		}
	}
	return out
}

// choosePeers chooses, for every municipality with cases, its peers among those
// that have records or strata. Conditions are standardised over all
// municipalities of the year, whether or not their outcomes are known.
func choosePeers(c *Config, conditions []ingest.Condition, records map[string]bool, aggregated []effect.StratumTotal) (*PeerChoice, error) {
	out := &PeerChoice{}
	if c.Peers == nil {
		return out, nil
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%w: no participation was referred in the cohort's period", ErrConfig)
	}
	known := maps.Clone(records)
	for _, s := range aggregated {
		known[s.Municipality] = true
	}
	if len(c.Peers.List) > 0 {
		var errs []error
		for _, m := range slices.Sorted(maps.Keys(c.Peers.List)) {
			if !known[m] {
				errs = append(errs, fmt.Errorf("%w: peers.list: municipality %s, which is given peers, has neither participations in the cohort nor peer_strata%s", ErrConfig, m, strict.Suggest(m, slices.Sorted(maps.Keys(known)))))
			}
			for _, p := range c.Peers.List[m] {
				if !known[p] {
					errs = append(errs, fmt.Errorf("%w: peers.list: municipality %s, a peer of %s, has neither participations in the cohort nor peer_strata", ErrConfig, p, m))
				}
				out.Peers = append(out.Peers, peer.Peer{Municipality: m, Peer: p, Distance: math.NaN(), By: peer.Listed})
			}
		}
		return out, errors.Join(errs...)
	}
	if err := c.checkConditions(conditions); err != nil {
		return nil, err
	}
	k := candidates{share: c.Peers.Share != "", o: peer.Options{
		By: c.Peers.by(), Conditions: c.Peers.Conditions, K: c.Peers.K, Clusters: c.Peers.Clusters, MinSize: c.Peers.MinSize,
		Exclude: slices.Clone(c.Peers.Exclude), For: slices.Sorted(maps.Keys(records)),
	}}
	if k.o.By == peer.Ward {
		k.o.K = effect.MinPeers
	}
	missing := maps.Clone(known)
	for _, row := range conditions {
		if row.Year != c.Peers.Year {
			continue
		}
		value := func(name string) float64 {
			if v, ok := row.Values[name]; ok {
				return v
			}
			return math.NaN()
		}
		m := peer.Municipality{ID: row.Municipality, Size: value(population), Expected: value(c.Peers.Expected)}
		for _, name := range c.Peers.Conditions {
			m.Values = append(m.Values, value(name))
		}
		k.all, k.observed = append(k.all, m), append(k.observed, value(c.Peers.Share))
		delete(missing, m.ID)
		if !known[m.ID] && !slices.Contains(k.o.Exclude, m.ID) {
			k.o.Exclude = append(k.o.Exclude, m.ID)
		}
	}
	var errs []error
	for _, m := range slices.Sorted(maps.Keys(missing)) {
		errs = append(errs, fmt.Errorf("%w: municipality %s has cases but no framework conditions for %d in table %s", ErrConfig, m, c.Peers.Year, ingest.Municipalities))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	all, o, err := k.without("")
	if err != nil {
		return nil, err
	}
	if out.Peers, err = peer.Choose(all, o); err != nil {
		return nil, err
	}
	out.PeerConditions = peer.Conditions(all, o, out.Peers)
	out.PeerStability, err = peer.Stability(out.Peers, o.Conditions, func(leftOut string) ([]peer.Peer, error) {
		all, o, err := k.without(leftOut)
		if err != nil {
			return nil, err
		}
		return peer.Choose(all, o)
	})
	return out, err
}

// candidates are the municipalities of the year, and how peers are chosen among
// them.
type candidates struct {
	all      []peer.Municipality
	observed []float64 // share of each; used where share
	share    bool
	o        peer.Options
}

// without leaves a framework condition out, or none with "", and works out the
// expected shares where they rest on the conditions.
func (k *candidates) without(condition string) ([]peer.Municipality, peer.Options, error) {
	all, o := slices.Clone(k.all), k.o
	if j := slices.Index(o.Conditions, condition); j >= 0 {
		o.Conditions = slices.Delete(slices.Clone(o.Conditions), j, j+1)
		for i := range all {
			all[i].Values = slices.Delete(slices.Clone(all[i].Values), j, j+1)
		}
	}
	if !k.share {
		return all, o, nil
	}
	rows := make([]municipal.Municipality, len(all))
	for i, m := range all {
		rows[i] = municipal.Municipality{Name: m.ID, Observed: k.observed[i], Conditions: m.Values}
	}
	expected, err := municipal.Expect(rows, o.Conditions, municipal.DefaultExpect())
	if err != nil {
		return nil, o, fmt.Errorf("%w: expected shares: %w", peer.ErrPeers, err)
	}
	for i := range all {
		all[i].Expected = expected[i].Share
	}
	return all, o, nil
}
