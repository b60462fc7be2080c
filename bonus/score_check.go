package bonus

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// checkPay looks at what a clause pays or decides.
func (clause *Clause) checkPay(c *checker, path string, version *Version) {
	s, score := &clause.Schedule, clause.Measure.Score != nil
	at := path + ".schedule"
	paid := len(s.UnitPrices) > 0 || s.PriceList != "" || s.Share != nil || s.Bands != nil || s.Penalty
	switch {
	case clause.Decision != nil && (paid || s.Threshold != nil || s.Exchange != nil || s.Pool != nil || s.Every != nil || len(s.Instalments) > 0):
		c.fault(path+".decision", "a clause pays by a schedule or decides without paying: give one of the two")
	case clause.Decision != nil && !score:
		c.fault(path+".decision", "a decision is about a score: give the clause measure: {score: ...}")
	case clause.Decision != nil:
		clause.Decision.check(c, path+".decision", clause)
	case s.Exchange == nil && s.Pool == nil:
		s.check(c, at, clause, version)
	case s.Exchange != nil && s.Pool != nil || paid:
		c.fault(at, "an exchange and a pool stand in place of prices, shares of them, bands and penalties, and of each other: give one")
	case s.Exchange != nil && !score:
		c.fault(at+".exchange", "an exchange is of a score: give the clause measure: {score: ...}")
	case s.Exchange != nil:
		s.Exchange.check(c, at+".exchange")
		fallthrough
	default:
		if s.Pool != nil {
			s.Pool.check(c, at+".pool")
			if clause.Clawback != nil || clause.Negative != "" {
				c.fault(at+".pool", "what is under 0 has no part in a pool, and one that was divided stays so: a pool has neither clawback nor negative")
			}
		}
		s.checkStages(c, at, clause)
	}
}

// reaches says whether an outcome of the measure is counted where it is reached.
func (m *Measure) reaches(outcome string) bool {
	return m.Reached != "" || m.Score != nil && slices.ContainsFunc(m.Score.Parts, func(p ScorePart) bool { return slices.Contains(p.Results, outcome) })
}

// place is where an outcome stands in a score.
func (m *Score) place(outcome string) string {
	for i := range m.Parts {
		p := &m.Parts[i]
		for key, of := range map[string]string{"effect": p.Effect, "ratio": p.Ratio} {
			if of == outcome {
				return fmt.Sprintf("score.parts[%d].%s", i, key)
			}
		}
		if j := slices.Index(p.Results, outcome); j >= 0 {
			return fmt.Sprintf("score.parts[%d].results[%d]", i, j)
		}
	}
	return "score"
}

func (m *Score) check(c *checker, path string, clause *Clause) {
	if c.t.AppliesBy != ByPeriod && len(c.t.Versions) > 1 {
		c.fault(path, "a score is about a settlement period, whose cases can have been referred under several versions: with more than one version, terms with a score need applies_by: period")
	}
	m.checkGate(c, path, clause)
	at := strings.TrimSuffix(path, "measure.score") + "conditions."
	if len(clause.Conditions.Indicators) > 0 {
		c.fault(at+"indicators", "an indicator is counted in each municipality, and a score is about all of a provider's cases")
	}
	if clause.Decision != nil && len(clause.Conditions.Figures) > 0 {
		c.fault(at+"figures", "figures keep a line from being paid, and a decision pays nothing: let the score look at the figure")
	}
	if cs := m.Cases; cs != nil {
		if cs.Months != nil && (*cs.Months < 1 || *cs.Months > 120) {
			c.fault(path+".cases.months", "%d is no number of months from 1 to 120", *cs.Months)
		}
		if cs.By == DayWindowEnd && len(m.outcomes()) == 0 {
			c.fault(path+".cases.by", "no part of the score counts results, so that there is no window to end")
		}
	}
	if d := m.Divide; d != nil {
		switch {
		case (d.Cases == nil) == (d.By == nil):
			c.fault(path+".divide", "give one of cases and by")
		case d.Cases != nil && d.Cases.Rat().Sign() <= 0:
			c.fault(path+".divide.cases", "the score is divided by %s times its cases: give a number above 0", d.Cases)
		case d.By != nil && d.By.figure == "" && d.By.number.Rat().Sign() == 0:
			c.fault(path+".divide.by", "the score is divided by 0")
		}
	}
	if m.Least != nil && m.Most != nil && m.Least.Rat().Cmp(m.Most.Rat()) > 0 {
		c.fault(path+".least", "the least, %s, is above the most, %s", m.Least, m.Most)
	}
	m.Round.check(c, path)
	for _, key := range []struct {
		name string
		n    *int
	}{{"min_n", m.MinN}, {"min_months", m.MinMonths}} {
		if key.n != nil && *key.n < 0 {
			c.fault(path+"."+key.name, "%d is negative", *key.n)
		}
	}
	for i := 1; i < len(m.Ratings); i++ {
		if m.Ratings[i].Rat().Cmp(m.Ratings[i-1].Rat()) <= 0 {
			c.fault(fmt.Sprintf("%s.ratings[%d]", path, i), "%s is not above the boundary before it", m.Ratings[i])
		}
	}
	m.checkDomains(c, path)
	for i := range m.Parts {
		at := fmt.Sprintf("%s.parts[%d]", path, i)
		if slices.IndexFunc(m.Parts, func(q ScorePart) bool { return q.Name == m.Parts[i].Name }) < i {
			c.fault(at+".name", "part %q stands twice in the score", m.Parts[i].Name)
		}
		m.Parts[i].check(c, at, m)
	}
}

// checkDomains looks at the domains and at the weights that something is divided by.
func (m *Score) checkDomains(c *checker, path string) {
	var names []string
	sum, known := new(big.Rat), true
	for i, d := range m.Domains {
		at := fmt.Sprintf("%s.domains[%d]", path, i)
		if slices.Contains(names, d.Name) {
			c.fault(at+".name", "domain %q stands twice in the score", d.Name)
		}
		names = append(names, d.Name)
		sum.Add(sum, d.Weight.Rat())
		if m.Missing == MissingReallocate && d.Weight.Rat().Sign() < 0 {
			c.fault(at+".weight", "the weight %s is negative: it cannot be shared out in proportion", d.Weight)
		}
		within, has, all := new(big.Rat), false, true
		for j := range m.Parts {
			p := &m.Parts[j]
			if p.Domain != d.Name {
				continue
			}
			has = true
			if all = all && (p.Weight == nil || p.Weight.figure == ""); all {
				within.Add(within, p.weight())
			}
		}
		switch {
		case !has:
			c.fault(at, "no part belongs to the domain %q", d.Name)
		case all && within.Sign() == 0:
			c.fault(at, "the weights of the parts of the domain %q sum to 0", d.Name)
		}
	}
	for i := range m.Parts {
		p, at := &m.Parts[i], fmt.Sprintf("%s.parts[%d]", path, i)
		if p.Domain != "" && !slices.Contains(names, p.Domain) {
			c.fault(at+".domain", "domain %q is not declared under domains%s", p.Domain, strict.Suggest(p.Domain, names))
		}
		if p.Weight != nil && p.Weight.figure != "" {
			known = known && p.Domain != ""
			continue
		}
		if p.weight().Sign() < 0 && (m.Missing == MissingReallocate || p.Domain != "") {
			c.fault(at+".weight", "the weight %s is negative: nothing can be shared out in proportion to it", p.Weight)
		}
		if p.Domain == "" {
			sum.Add(sum, p.weight())
		}
	}
	if m.Missing == MissingReallocate && known && sum.Sign() == 0 {
		c.fault(path+".parts", "the weights sum to 0, so that those of missing parts cannot be shared out")
	}
}

// weight is that of a part whose weight is a number.
func (p *ScorePart) weight() *big.Rat {
	if p.Weight == nil {
		return one()
	}
	return p.Weight.number.Rat()
}

func (p *ScorePart) check(c *checker, path string, m *Score) {
	given := 0
	for _, is := range []bool{p.Figure != "", p.Results != nil, p.Effect != "", p.Ratio != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		c.fault(path, "give one of figure, results, effect and ratio")
	}
	if p.Results == nil && (p.MatchGroup != "" || p.Package != "") {
		c.fault(path, "match_group and package belong to results")
	}
	if p.Share && p.estimated() {
		c.fault(path+".share", "share belongs to results or a figure")
	}
	for i, name := range p.Results {
		if slices.Index(p.Results, name) < i {
			c.fault(fmt.Sprintf("%s.results[%d]", path, i), "%s stands twice", name)
		}
	}
	if p.Package != "" && c.t.offer(p.Package) == nil {
		c.fault(path+".package", "package %q is not declared under packages", p.Package)
	}
	switch {
	case !p.estimated() && (p.Part != "" || p.Method != ""):
		c.fault(path, "part and method belong to an effect or a ratio")
	case p.estimated() && (p.Part == "" || p.Method == ""):
		c.fault(path, "an effect or a ratio needs part (provider or total) and the method of estimation")
	}
	if p.MinN != nil && *p.MinN < 0 {
		c.fault(path+".min_n", "%d is negative", *p.MinN)
	}
	if p.MinN != nil && m.Missing == "" {
		c.fault(path+".min_n", "say what becomes of a part under its min_n: give the score missing: nothing, reallocate or not_rated")
	}
	p.Round.check(c, path)
	for j := range p.Scales {
		s, at := &p.Scales[j], fmt.Sprintf("%s.scales[%d]", path, j)
		if s.From.figure == "" && s.To.figure == "" && s.From.number.Rat().Cmp(s.To.number.Rat()) == 0 {
			c.fault(at, "from and to are both %s: between them there is no scale", s.From)
		}
		if s.From.figure != "" && s.From == s.To {
			c.fault(at, "from and to are the same figure: between them there is no scale")
		}
		if s.Better != "" && s.From.figure == "" && s.To.figure == "" {
			c.fault(at+".better", "two numbers say themselves which way round the scale is: leave better out")
		}
		if s.Points.Rat().Sign() < 0 || s.Full != nil && s.Full.Rat().Sign() < 0 {
			c.fault(at, "points are not under 0: turn the scale round")
		}
		s.Round.check(c, at)
	}
}
