package chart

import (
	"fmt"
	"html/template"
	"math"
	"slices"
)

// Curves shows what rises over time: how many have left in each way by each day. No more
// than [MostLines] curves are drawn, which differ in dash and are named at their end; under
// them stands how many are still followed.
type Curves struct {
	Picture
	X, Y   Axis      // Y runs from 0 to 1, or to a round number above the highest point
	Ticks  []float64 // the days that the axis tells; nil for round ones
	Curves []Curve
	// AtRisk is the heading of the numbers under the picture; empty for none.
	AtRisk string
}

// Curve is one line of [Curves]. It starts at (0, 0). Each point is marked, and a straight
// line leads from one to the next: what happened between them is not known. A point whose Y
// is NaN ends the line.
type Curve struct {
	Label  string
	Points []Known // in the order of X
}

// Known is a point of a curve.
type Known struct {
	X, Y   float64
	AtRisk string // how many are still followed, as it is to be read; empty where nothing is told
}

// Draw draws the curves; those after the first [MostLines] are left out.
func (c Curves) Draw() template.HTML {
	curves := c.Curves[:min(len(c.Curves), MostLines)]
	known := make([][]Known, len(curves))
	xMost, yMost, wide := 0.0, 0.0, 0.0
	for i, curve := range curves {
		for _, p := range curve.Points {
			if !finite(p.X, p.Y) {
				break
			}
			known[i] = append(known[i], p)
			xMost, yMost = math.Max(xMost, p.X), math.Max(yMost, p.Y)
		}
		wide = math.Max(wide, textWidth(curve.Label, small))
	}
	for _, v := range c.Ticks {
		xMost = math.Max(xMost, v)
	}
	if xMost == 0 {
		xMost = 1
	}
	if yMost == 0 {
		yMost = 1
	}
	ys := ticks(0, yMost, 5)
	if last := ys[len(ys)-1]; last < yMost {
		yMost = last + ys[1] - ys[0]
		ys = ticks(0, yMost, len(ys)+1)
	}
	xs := c.Ticks
	if xs == nil {
		xs = ticks(0, xMost, 6)
	}

	wide = math.Min(wide, 116)
	const left, top, bottom = 44.0, 12.0, 192.0
	right := width - 10 - wide - 6
	x, y := scale{0, xMost, left, right}, scale{0, yMost, bottom, top}
	height := bottom + 40
	if c.AtRisk != "" {
		height += 18 + 30*float64(len(curves))
	}

	b := begin(c.Picture, "curves", width, height)
	b.frame(c.X, c.Y, x, y, xs, ys)

	ends := make([]float64, len(curves))
	for i := range curves {
		b.group("curve", "fill", "none", "stroke", lines()[i].colour, "stroke-width", "2.2", "stroke-dasharray", lines()[i].dash)
		fmt.Fprintf(b, `<path d="M%s %s`, num(x.at(0)), num(y.at(0)))
		ends[i] = y.at(0)
		for _, p := range known[i] {
			ends[i] = y.at(p.Y)
			fmt.Fprintf(b, "L%s %s", num(x.at(p.X)), num(ends[i]))
		}
		b.WriteString(`"/>`)
		b.end()
		b.group("points", "fill", lines()[i].colour)
		for _, p := range known[i] {
			b.mark(Circle, x.at(p.X), y.at(p.Y), 2.4)
		}
		b.end()
	}
	b.group("names", "font-size", num(small), "stroke", "#fff", "stroke-width", "3", "paint-order", "stroke")
	for i, at := range spread(ends, small+2, top, bottom) {
		end := x.at(0)
		if n := len(known[i]); n > 0 {
			end = x.at(known[i][n-1].X)
		}
		// A curve that ends early is named where it ends.
		to := right
		if end < right-24 {
			to = end
		}
		fmt.Fprintf(b, `<path d="M%s %sL%s %s" stroke="%s" stroke-width="0.8"/>`, num(end+1), num(ends[i]), num(to+8), num(at), lines()[i].colour)
		b.text(to+10, at+4, "start", cut(curves[i].Label, wide, small))
	}
	b.end()

	if c.AtRisk != "" {
		at := bottom + 52
		b.group("at-risk", "font-size", num(small))
		b.text(4, at, "start", c.AtRisk)
		for i, curve := range curves {
			at += 15
			fmt.Fprintf(b, `<path d="M4 %sH24" stroke="%s" stroke-width="2.2" stroke-dasharray="%s"/>`, num(at-4), lines()[i].colour, lines()[i].dash)
			b.text(30, at, "start", cut(curve.Label, width-40, small))
			at += 15
			for _, v := range xs {
				if k := slices.IndexFunc(known[i], func(p Known) bool { return p.X == v }); k >= 0 {
					b.text(x.at(v), at, "middle", cut(known[i][k].AtRisk, 60, small))
				}
			}
		}
		b.end()
	}
	return b.done()
}

// spread moves places apart so that neighbours are at least gap apart and all are
// between low and high, in their order, as little as may be. Where they do not all fit
// they share the room evenly.
func spread(at []float64, gap, low, high float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case at[i] < at[j]:
			return -1
		case at[i] > at[j]:
			return 1
		}
		return 0
	})
	if n := len(at); n > 1 {
		gap = math.Min(gap, (high-low)/float64(n-1))
	}
	to := slices.Clone(at)
	next := low
	for _, i := range order {
		to[i] = math.Max(to[i], next)
		next = to[i] + gap
	}
	next = high
	for _, i := range slices.Backward(order) {
		to[i] = math.Min(to[i], next)
		next = to[i] - gap
	}
	return to
}
