package chart

import (
	"cmp"
	"html/template"
	"math"
	"slices"
)

// Funnel shows each unit by how sure its figure is (across, surest to the right) and by
// how far it is from what was expected of it (up and down), with limits of what chance
// makes: between Center - Times X and Center + Times X.
//
// X is the standard error that the limits are about. Where they are of Student's t, it is
// the difference divided by the normal score of its p-value: then who lies outside the
// limit of 1.96 in the picture is who has p under 0.05. (source: spiegelhalter2005)
type Funnel struct {
	Picture
	X, Y   Axis
	Center float64
	Limits []Limit
	Points []Point
}

// Limit is a pair of lines of a [Funnel].
type Limit struct {
	Label string  // as "95 %"
	Times float64 // standard errors from the centre; above 0
}

// Point is one unit of a [Funnel].
type Point struct {
	X, Y  float64 // X above 0
	Label string  // empty for a unit that is not named: it is drawn light
	Mark  Mark    // of a named unit
}

// Draw draws the funnel. Points that cannot be drawn are left out. Without any point
// that can, the picture is empty: say so in words instead.
func (f Funnel) Draw() template.HTML {
	const height, left, right, top, bottom = 300.0, 44.0, 350.0, 12.0, 252.0
	points := slices.DeleteFunc(slices.Clone(f.Points), func(p Point) bool { return !finite(p.X, p.Y) || p.X <= 0 })
	// Light ones first, so that none covers a named one.
	slices.SortStableFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(min(len(a.Label), 1), min(len(b.Label), 1)), cmp.Compare(b.X, a.X), cmp.Compare(a.Y, b.Y), cmp.Compare(a.Label, b.Label))
	})
	xMost, yMost := 0.0, 0.0
	for _, p := range points {
		xMost = math.Max(xMost, p.X)
		yMost = math.Max(yMost, math.Abs(p.Y-f.Center)*1.12)
	}
	if xMost == 0 {
		xMost = 1
	}
	xMost *= 1.06
	if len(f.Limits) > 0 {
		yMost = math.Max(yMost, f.Limits[0].Times*xMost)
	}
	if yMost == 0 {
		yMost = 1
	}
	x := scale{xMost, 0, left, right}
	y := scale{f.Center - yMost, f.Center + yMost, bottom, top}

	b := begin(f.Picture, "funnel", width, height)
	b.frame(f.X, f.Y, x, y, ticks(0, xMost, 7), ticks(y.low, y.high, 9))

	b.group("center", "stroke", ink, "stroke-width", "1")
	b.line(left, y.at(f.Center), right, y.at(f.Center))
	b.end()
	taken := []box{{left, y.at(f.Center) - 1.5, right - left, 3}}
	for i, l := range f.Limits {
		dash := ""
		if i == 0 {
			dash = "5 3"
		}
		b.group("limit", "stroke", soft, "stroke-width", "1.2", "stroke-dasharray", dash, "fill", "none")
		// Where the line leaves the picture, if it does.
		out := math.Min(xMost, yMost/l.Times)
		for _, sign := range []float64{1, -1} {
			b.line(x.at(out), y.at(f.Center+sign*l.Times*out), right, y.at(f.Center))
		}
		b.end()
		// Named beside the lower line where it enters: above it from the left, right of it
		// from below.
		at := box{w: textWidth(l.Label, small), h: small + 2}
		slope := (y.at(f.Center-l.Times*out) - y.at(f.Center)) / (right - x.at(out))
		if at.x = left + 4; out == xMost {
			at.y = y.at(f.Center-l.Times*out) - slope*(at.w+4) - at.h - 2
		} else {
			at.x, at.y = x.at(out)+at.h/slope+3, bottom-at.h-2
		}
		taken = append(taken, at)
		b.group("limit-name", "font-size", num(small), "fill", soft, "stroke", "#fff", "stroke-width", "3", "paint-order", "stroke")
		b.text(at.x, at.y+small, "start", l.Label)
		b.end()
	}

	b.group("others", "fill", "none", "stroke", faint, "stroke-width", "1")
	for _, p := range points {
		if p.Label == "" {
			b.mark(Ring, x.at(p.X), y.at(p.Y), 2.6)
		}
	}
	b.end()
	b.group("own", "fill", ink, "stroke", ink, "stroke-width", "1.2")
	for _, p := range points {
		if p.Label != "" {
			b.mark(p.Mark, x.at(p.X), y.at(p.Y), 4.6)
			taken = append(taken, box{x.at(p.X) - 6, y.at(p.Y) - 6, 12, 12})
		}
	}
	b.end()
	b.group("names", "font-size", num(small), "stroke", "#fff", "stroke-width", "3", "paint-order", "stroke")
	inside := box{left + 1, top, right - left - 1, bottom - top}
	for _, p := range points {
		if p.Label == "" {
			continue
		}
		name := cut(p.Label, 170, small)
		at := place(x.at(p.X), y.at(p.Y), textWidth(name, small), small, inside, taken)
		taken = append(taken, at)
		b.text(at.x, at.y+small-1.5, "start", name)
	}
	b.end()
	return b.done()
}

// frame draws the two axes with their numbers, grid lines and labels.
func (b *svg) frame(xAxis, yAxis Axis, x, y scale, xs, ys []float64) {
	b.group("grid", "stroke", grid, "stroke-width", "1")
	for _, v := range ys {
		b.line(x.from, y.at(v), x.to, y.at(v))
	}
	b.end()
	b.group("axis", "stroke", ink, "stroke-width", "1")
	b.line(x.from, y.from, x.to, y.from)
	for _, v := range xs {
		b.line(x.at(v), y.from, x.at(v), y.from+4)
	}
	b.end()
	b.group("ticks", "font-size", num(small))
	for _, v := range ys {
		b.text(x.from-5, y.at(v)+4, "end", cut(yAxis.format(v), x.from-17, small))
	}
	b.ticks(xAxis, x, xs, y.from+17)
	b.end()
	b.group("labels", "font-size", num(small), "fill", soft)
	b.text((x.from+x.to)/2, y.from+33, "middle", cut(xAxis.Label, width-8, small))
	b.end()
	if yAxis.Label != "" {
		b.group("labels", "font-size", num(small), "fill", soft, "transform", "rotate(-90)")
		b.text(-(y.from+y.to)/2, 10, "middle", cut(yAxis.Label, y.from-y.to, small))
		b.end()
	}
}

// box is a place that something takes up; x and y are its upper left corner.
type box struct{ x, y, w, h float64 }

// over is the area that two boxes share.
func (a box) over(b box) float64 {
	return math.Max(0, math.Min(a.x+a.w, b.x+b.w)-math.Max(a.x, b.x)) * math.Max(0, math.Min(a.y+a.h, b.y+b.h)-math.Max(a.y, b.y))
}

// place finds where beside a marker a text of a size stands clear of what is taken, and
// else where it covers least.
func place(x, y, w, h float64, inside box, taken []box) box {
	best, least := box{}, math.Inf(1)
	for _, away := range []float64{0, 7, 14, 21, 28, 42, 56, 70} {
		for _, at := range []box{
			{x + 8, y - h/2 - away, w, h},
			{x - 8 - w, y - h/2 - away, w, h},
			{x + 8, y - h/2 + away, w, h},
			{x - 8 - w, y - h/2 + away, w, h},
			{x - w/2, y - h - 7 - away, w, h},
			{x - w/2, y + 7 + away, w, h},
		} {
			at.x = math.Max(inside.x, math.Min(at.x, inside.x+inside.w-w))
			at.y = math.Max(inside.y, math.Min(at.y, inside.y+inside.h-h))
			covers := away / 100 // of places that are as clear, the nearest
			for _, t := range taken {
				covers += at.over(t)
			}
			if covers < least {
				best, least = at, covers
			}
		}
	}
	return best
}
