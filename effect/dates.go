package effect

// Dates are the days on which an outcome counted, one for each of what it counts:
// for [WeeksIn] the last day of each counted week. They lie before the day on
// which the person left, and not after as_of, whether or not the window is over.
type Dates struct {
	First []int // for each case the place of its first day in On; one more at the end
	On    []Date
}

// Of are the days of a case, in order.
func (d Dates) Of(i int) []Date { return d.On[d.First[i]:d.First[i+1]] }

// Kept says whether the days were asked for. The zero Dates has none.
func (d Dates) Kept() bool { return d.First != nil }

// Dating is a Measure that can tell on which days it counted. Ask for them with
// [Outcome.Dated].
type Dating interface {
	Measure
	// Dates appends the days to those given, in order.
	Dates(s *Sight, on []Date) []Date
}

// gathering is what is read of dates before it is put together: blocks of cases
// are read at once, and each has days of its own.
type gathering struct {
	count []int32  // by case
	days  [][]Date // by block, in the order of its slots
}

func newGathering(n, blocks int) *gathering {
	return &gathering{make([]int32, n), make([][]Date, blocks)}
}

// add reads the days of a case. Cases of a block come in the order of their slots.
func (g *gathering) add(m Dating, s *Sight, block, i int32) {
	chunk := &g.days[block]
	before := len(*chunk)
	*chunk = m.Dates(s, *chunk)
	for s.Left != NoDate && len(*chunk) > before && (*chunk)[len(*chunk)-1] >= s.Left {
		*chunk = (*chunk)[:len(*chunk)-1] // nobody reaches anything after leaving
	}
	g.count[i] = int32(len(*chunk) - before)
}

func (g *gathering) dates(o *Observer) Dates {
	out := Dates{First: make([]int, len(g.count)+1)}
	for i, n := range g.count {
		out.First[i+1] = out.First[i] + int(n)
	}
	out.On = make([]Date, out.First[len(g.count)])
	for k, days := range g.days {
		from, to := o.slots(int32(k))
		for _, i := range o.caseOf[from:to] {
			n := copy(out.On[out.First[i]:out.First[i+1]], days)
			days = days[n:]
		}
	}
	return out
}
