package dream

import (
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// What a week can be of. States are below noState; the flag says that the state
// was set by a code that ends the observation.
const (
	noState  uint8 = 0x7f
	endsFlag uint8 = 0x80
)

// Work of a week: hundredths of hours a week, or one of these.
const (
	noWork    uint16 = math.MaxUint16 - iota
	noHours          // work of untold hours
	mostHours = effect.MaxHours * 100
)

// Sorts of weeks, which make up all weeks of the panel.
const (
	sortCoded   uint8 = iota // with a code of a benefit, or another
	sortBeside               // with one, and work beside it
	sortWorked               // empty, in a month with income
	sortFilled               // empty, after a code that ends the observation
	sortBare                 // empty, in a month without income
	sortUnknown              // empty, in a month without columns
	sorts
)

// What is known of somebody's death.
const (
	alive uint8 = iota
	died
	returned // another code or income has come since
)

// unset is a code, or a week, that there is none of.
const unset = math.MaxUint16

// stretch is a spell of one row, in weeks of the panel.
type stretch struct {
	row        int32
	start, end uint16
	hours      uint16
	state      uint8
}

// lives follows the persons of a block from week to week. Week by week it is told
// the code of every row; it opens and closes spells where something changes.
type lives struct {
	m     *Map
	codes *coder
	rows  int

	// By row: the code it has, since when; the state, the work and the sort of week
	// it is in, and its open spells.
	code, since         []uint16
	state               []uint8
	work                []uint16
	sort                []uint8
	sortSince           []uint16
	openState, openWork []int32 // -1 where there never was one
	death               []uint8

	// Of the month that the week belongs to, by row: work where there is income, and
	// where there is enough to count beside a benefit.
	income, beside []uint16
	told           bool

	spells []stretch
	tally
}

// tally is what was counted.
type tally struct {
	weeks      [sorts]int64
	byCode     []int64 // weeks
	afterDeath int64   // rows
	without    int64   // rows
}

// begin makes room for the rows of a block.
func (l *lives) begin(rows int) {
	l.rows = rows
	for _, v := range []*[]uint16{&l.code, &l.since, &l.work, &l.sortSince, &l.income, &l.beside} {
		*v = grow(*v, rows)
	}
	l.state, l.sort, l.death = grow(l.state, rows), grow(l.sort, rows), grow(l.death, rows)
	clear(l.death)
	l.openState, l.openWork = grow(l.openState, rows), grow(l.openWork, rows)
	for i := range rows {
		l.code[i], l.state[i], l.work[i], l.sort[i] = unset, noState, noWork, sorts
		l.openState[i], l.openWork[i] = -1, -1
	}
	if l.spells == nil {
		l.spells = make([]stretch, 0, 16*rows) // memory that is not used is not taken
	}
	l.spells = l.spells[:0]
}

// grow returns n values in the memory of v, or in new memory; never nil.
func grow[T any](v []T, n int) []T {
	if v == nil || cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// week reads the codes of a week. newMonth says that it is the first of its month
// that the panel has.
func (l *lives) week(week int, newMonth bool, codes []int32) {
	w := uint16(week)
	code := l.code[:len(codes)]
	if newMonth {
		monthly := l.codes.monthly
		for i, c := range codes {
			if k := uint16(c &^ (c >> 31)); k != code[i] || monthly[k] {
				l.turn(i, k, w)
			}
		}
		return
	}
	for i, c := range codes {
		if k := uint16(c &^ (c >> 31)); k != code[i] {
			l.turn(i, k, w)
		}
	}
}

// turn notes what row i is in a week of a code.
func (l *lives) turn(i int, k, week uint16) {
	if before := l.code[i]; before != k {
		if before != unset {
			l.byCode[before] += int64(week - l.since[i])
		}
		for len(l.byCode) <= int(k) {
			l.byCode = append(l.byCode, 0)
		}
		l.code[i], l.since[i] = k, week
	}
	was := l.state[i]
	state, work, sort := noState, noWork, sortCoded
	meaning := &l.codes.meanings[k]
	switch {
	case k != 0:
		state = meaning.state
		switch {
		case state == uint8(effect.OrdinaryEmployment):
			state, work = noState, noHours
			if l.told && l.income[i] != noWork {
				work = l.income[i]
			}
		case meaning.beside && l.told && l.beside[i] != noWork:
			work, sort = l.beside[i], sortBeside
		}
		state |= meaning.ends
	case l.told && l.income[i] != noWork:
		work, sort = l.income[i], sortWorked
	case was&endsFlag != 0:
		state, sort = was, sortFilled
	case !l.told:
		sort = sortUnknown
	default:
		state, sort = meaning.state, sortBare
	}
	if s := l.sort[i]; s != sort {
		if s != sorts {
			l.weeks[s] += int64(week - l.sortSince[i])
		}
		l.sort[i], l.sortSince[i] = sort, week
	}
	if (state^was)&^endsFlag != 0 {
		l.closeState(i, week)
		if state&^endsFlag != noState {
			l.openState[i] = l.open(i, week, state&^endsFlag, noHours)
		}
	}
	switch dead := state&^endsFlag == uint8(effect.Dead); {
	case dead && l.death[i] == alive:
		l.death[i] = died
	case l.death[i] == died && (k != 0 && !dead || work != noWork):
		l.death[i] = returned
		l.afterDeath++
	}
	l.state[i] = state
	if work != l.work[i] {
		l.closeWork(i, week)
		if work != noWork {
			l.openWork[i] = l.open(i, week, uint8(effect.OrdinaryEmployment), work)
		}
		l.work[i] = work
	}
}

func (l *lives) open(i int, week uint16, state uint8, hours uint16) int32 {
	l.spells = append(l.spells, stretch{row: int32(i), start: week, state: state, hours: hours})
	return int32(len(l.spells) - 1)
}

func (l *lives) closeState(i int, week uint16) {
	if l.state[i]&^endsFlag != noState {
		l.spells[l.openState[i]].end = week
	}
}

func (l *lives) closeWork(i int, week uint16) {
	if l.work[i] != noWork {
		l.spells[l.openWork[i]].end = week
	}
}

// finish closes what is open after the last week.
func (l *lives) finish(weeks int) {
	w := uint16(weeks)
	for i := range l.rows {
		l.closeState(i, w)
		l.closeWork(i, w)
		l.byCode[l.code[i]] += int64(w - l.since[i])
		l.weeks[l.sort[i]] += int64(w - l.sortSince[i])
		if l.openState[i] < 0 && l.openWork[i] < 0 {
			l.without++
		}
	}
}

// month notes, by row, what a month's columns show. There must be branche where
// there is no grad, and the other way round; either may be nil.
func (l *lives) month(branche []int32, grad []float64) (bad int64) {
	l.told = true
	most := float64(effect.MaxHours)
	least := l.m.Beside.LeastDegree
	wantBeside := l.m.Beside.Work == BesideFromGrad
	for i := range l.rows {
		industry := branche != nil && branche[i] > 0
		degree := math.NaN()
		if grad != nil {
			degree = grad[i]
		}
		hours, positive := noHours, false
		if degree == degree {
			h := degree / l.m.FullDegree * l.m.FullHours
			if degree < 0 || !(h <= most) || math.IsInf(degree, 0) {
				bad++
				h = 0
			}
			hours, positive = uint16(math.Round(h*100)), degree > 0
		}
		if l.m.FullHours == 0 {
			hours = noHours
		}
		has := industry || positive
		switch l.m.Income {
		case IncomeBoth:
			has = industry && positive
		case IncomeBranche:
			has = industry
		case IncomeGrad:
			has = positive
		}
		l.income[i] = noWork
		if has {
			l.income[i] = hours
		}
		if wantBeside {
			l.beside[i] = noWork
			if positive && degree >= least {
				l.beside[i] = hours
			}
		}
	}
	return bad
}
