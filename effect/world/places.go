package world

import (
	"fmt"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// town is a real municipality: code, name and population about 2008, rounded.
type town struct {
	code, name string
	population int64
}

var towns = [...]town{
	{"751", "Aarhus", 298_500},
	{"461", "Odense", 186_700},
	{"851", "Aalborg", 194_100},
	{"730", "Randers", 93_600},
	{"561", "Esbjerg", 114_200},
	{"630", "Vejle", 104_900},
	{"621", "Kolding", 87_800},
	{"615", "Horsens", 80_100},
	{"791", "Viborg", 92_100},
	{"740", "Silkeborg", 87_400},
	{"657", "Herning", 84_200},
	{"540", "Sønderborg", 76_800},
	{"101", "København", 509_900},
	{"147", "Frederiksberg", 93_400},
	{"265", "Roskilde", 81_300},
	{"370", "Næstved", 81_000},
	{"330", "Slagelse", 77_400},
	{"316", "Holbæk", 69_500},
	{"157", "Gentofte", 68_900},
	{"860", "Hjørring", 67_100},
	{"376", "Guldborgsund", 63_500},
	{"159", "Gladsaxe", 62_600},
	{"217", "Helsingør", 61_000},
	{"479", "Svendborg", 58_800},
	{"259", "Køge", 56_500},
	{"661", "Holstebro", 56_200},
	{"230", "Rudersdal", 53_900},
	{"173", "Lyngby-Taarbæk", 51_600},
	{"607", "Fredericia", 49_500},
	{"167", "Hvidovre", 49_400},
	{"253", "Greve", 47_700},
	{"169", "Høje-Taastrup", 47_400},
	{"219", "Hillerød", 46_400},
	{"400", "Bornholm", 43_000},
	{"185", "Tårnby", 40_000},
	{"410", "Middelfart", 37_000},
}

// extendedRole is the municipality that also lets its providers hold the job
// interviews.
const extendedRole = "730"

// stems are what provider names are made of. Every name carries the mark "(opdigtet)", invented.
var stems = [...]string{
	"Blikfugl", "Kridtugle", "Månesten", "Rævesky", "Tangspor", "Uldkompas", "Stjerneplov", "Regnvinkel",
	"Kobberlærke", "Mosehorn", "Vindkringle", "Havrelygte", "Isvinge", "Bølgenøgle", "Tågetrappe", "Klokkerav",
}

func (w *World) newPlace(m int, t town, r *draws) place {
	between := func(low, high float64) float64 { return math.Round(10*(low+float64((high-low)*r.next()))) / 10 }
	p := place{index: m, Municipality: Municipality{
		Code: t.code, Name: t.name, Population: t.population,
		Unemployment: between(2.5, 6.5), LowEducation: between(24, 40), NonWestern: between(3, 13),
	}}
	p.conditions = exp(-0.08*(p.Unemployment-4.5) - 0.01*(p.LowEducation-32) - 0.01*(p.NonWestern-8))
	low, far := 0.25+p.LowEducation/100, 2*p.NonWestern/100
	p.education = [3]float64{low, 0.88 - low, 0.12}
	p.origin = [3]float64{0.96 - far, 0.04, far}

	n := w.o.ProvidersPerMunicipality
	own := choice{weights: weights(0)}
	own.scale(w.o.OwnShare)
	p.choices = []choice{own}
	for k := range n {
		g := m*n + k // number of the provider among all
		c := choice{Provider: Provider{
			ID: fmt.Sprintf("L%s-%d", t.code, k+1), From: w.o.From.AddMonths(-12), To: effect.NoDate,
			InHouse: m == min(1, w.o.Municipalities-1) && k == n-1,
		}}
		c.Name = stems[g%len(stems)] + " (opdigtet)"
		if round := g / len(stems); round > 0 {
			c.Name = fmt.Sprintf("%s %d (opdigtet)", stems[g%len(stems)], round+1)
		}
		if g%4 == 1 && !c.InHouse {
			c.ConsortiumID = fmt.Sprintf("K%d", g/4%3+1)
		}
		if g%5 == 2 {
			c.To = (w.o.From + w.o.To) / 2 // renamed
		}
		c.weights = weights([...]float64{w.o.Selection, -w.o.Selection, 0}[k%3])
		c.scale((1 - w.o.OwnShare) / float64(n))
		p.choices = append(p.choices, c)
	}
	return p
}

func weights(slope float64) (out [points]float64) {
	for i := range out {
		out[i] = exp(slope * float64(i-points/2))
	}
	return out
}

func (c *choice) scale(by float64) {
	for i := range c.weights {
		c.weights[i] *= by
	}
}
