package world

import "github.com/jobeffekt/jobeffekt/effect"

// The states of the weekly chain, and the two that end it.
const (
	benefit = iota // cash benefit or, for the insured, unemployment benefit
	work           // ordinary or self-employment
	subsidy
	sick
	education
	support
	pension
	chainStates
	emigrated = iota - 1
	dead
)

var stateOf = [...]effect.State{
	benefit: effect.CashBenefit, work: effect.OrdinaryEmployment, subsidy: effect.WageSubsidy,
	sick: effect.SicknessBenefit, education: effect.Education, support: effect.SelfSupport, pension: effect.Pension,
	emigrated: effect.Emigrated, dead: effect.Dead,
}

// Chances per week.
const (
	deathChance    = 0.0002
	leaveChance    = 0.0005 // death or emigration
	lossOdds       = 0.028  // work to benefit
	pensionChance  = 0.0006 // for those of 50 and over
	oldest, ageMax = 2, 65
)

// findOdds are the odds of moving to work in a week, for a citizen whose
// factors are all 1.
var findOdds = [chainStates]float64{benefit: 0.016, subsidy: 0.04, sick: 0.014, education: 0.01, support: 0.03}

// moves are the chances of the other moves in a week in which no job is found
// or lost. Each row sums to less than 1.
var moves = [chainStates][chainStates]float64{
	benefit:   {subsidy: 0.008, sick: 0.010, education: 0.0015, support: 0.004},
	work:      {sick: 0.003, education: 0.0008, support: 0.002},
	subsidy:   {benefit: 0.07, sick: 0.004},
	sick:      {benefit: 0.08},
	education: {benefit: 0.012},
	support:   {benefit: 0.04},
}

// The factors on the odds of finding and of losing a job.
var (
	findSex       = [...]float64{0.95, 1}
	findAge       = [...]float64{1.25, 1, 0.65}
	findEducation = [...]float64{0.75, 1.1, 1.35}
	findOrigin    = [...]float64{1.1, 1, 0.7}
	findWorked    = [...]float64{0.6, 1.1, 1.8}
	findSick      = [...]float64{1.1, 0.7}

	loseAge       = [...]float64{1.2, 1, 0.9}
	loseEducation = [...]float64{1.1, 1, 0.8}
	loseWorked    = [...]float64{1.15, 1, 0.8}
	loseSick      = [...]float64{0.95, 1.2}
)

// law is one citizen's chain: the chances of the moves in a week for those who
// neither die nor emigrate.
type law struct {
	to  [chainStates][chainStates]float64
	out [chainStates]float64 // chance of any move
}

// of fills in the law of a citizen whose factors multiply to find and lose.
func (l *law) of(find, lose float64, old bool) {
	for s := range l.to {
		l.to[s] = moves[s]
		if s == pension {
			l.out[s] = 0
			continue
		}
		into, odds := work, findOdds[s]*find
		if s == work {
			into, odds = benefit, lossOdds*lose
		}
		p := odds / (1 + odds)
		out := p
		if old {
			l.to[s][pension] = pensionChance
		}
		for t := range l.to[s] {
			l.to[s][t] *= 1 - p
			out += l.to[s][t]
		}
		l.to[s][into] += p
		l.out[s] = out
	}
}

// step moves one week from s; u is uniform on [0, 1).
func (l *law) step(s int, u float64) int {
	if u >= l.out[s] {
		return s
	}
	for t, p := range l.to[s] {
		if u < p {
			return t
		}
		u -= p
	}
	return s
}

// curve is what a chain that starts on benefit holds for employment, week j
// being the one after j steps.
type curve struct {
	at26, at52 float64 // chance of work in weeks 26 and 52
	weeks51    float64 // expected weeks of work in weeks 1 to 51
}

// curve follows the distribution over states exactly, week by week.
func (l *law) curve() curve {
	var c curve
	now := [chainStates]float64{benefit: 1}
	for j := 1; j <= 52; j++ {
		var next [chainStates]float64
		for s, mass := range now {
			next[s] += mass * (1 - l.out[s])
			for t, p := range l.to[s] {
				next[t] += mass * p
			}
		}
		now = next
		switch j {
		case 26:
			c.at26 = now[work]
		case 52:
			c.at52 = now[work]
		}
		if j < 52 {
			c.weeks51 += now[work]
		}
	}
	return c
}

// The streams of draws: each question has its own, so that a new draw in one
// moves nothing in another.
const (
	placeStream = iota
	personStream
	historyStream
	courseStream
	lifeStream
	registerStream
	againStream
	moneyStream
	opinionStream
	streams
)

// draws are the numbers of one stream of one person: the n-th is a hash of
// (seed, stream, person, n), the finaliser of splitmix64.
type draws struct{ key, n uint64 }

func (w *World) draws(stream int, person int64) draws {
	return draws{key: mix(w.keys[stream] + uint64(person))}
}

// next is uniform on the multiples of 2^-53 in [0, 1).
func (d *draws) next() float64 {
	d.n++
	return d.at(d.n)
}

func (d *draws) at(n uint64) float64 { return float64(mix(d.key+n*golden)>>11) * 0x1p-53 }

// upTo is uniform on 0 to n-1.
func (d *draws) upTo(n int) int { return int(d.next() * float64(n)) }

const golden = 0x9e3779b97f4a7c15

func mix(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
