package chart

import (
	"html/template"
	"math"
)

// Balance shows how unlike two groups are, one row for each comparison: the nearer its
// markers to 0 the more alike. Each row is named above its line, so that long names fit.
type Balance struct {
	Picture
	X     Axis
	Marks []Mark   // the shape of each series
	Names []string // of each series
	Limit float64  // the line that markers should not pass; NaN for none
	// LimitName stands at the line.
	LimitName string
	Rows      []BalanceRow
}

// BalanceRow is one comparison.
type BalanceRow struct {
	Label  string
	Values []float64 // of each series, 0 or more; one that is NaN is not drawn
}

// Draw draws the rows in their order.
func (p Balance) Draw() template.HTML {
	const left, right, row = 12.0, 348.0, 30.0
	most := 0.0
	for _, r := range p.Rows {
		for _, v := range r.Values {
			if finite(v) {
				most = math.Max(most, v)
			}
		}
	}
	if finite(p.Limit) {
		most = math.Max(most, p.Limit*1.3)
	}
	if most == 0 {
		most = 1
	}
	x := scale{0, most * 1.05, left, right}
	top := 24 + 16*float64(len(p.Names))
	bottom := top + row*float64(len(p.Rows)) + 4
	b := begin(p.Picture, "balance", width, bottom+40)

	b.group("legend", "font-size", num(small), "fill", ink, "stroke", ink)
	for i := range p.Names {
		b.mark(p.Marks[i%len(p.Marks)], left+5, 10+16*float64(i), 4)
	}
	b.end()
	b.group("legend", "font-size", num(small))
	for i, name := range p.Names {
		b.text(left+16, 14+16*float64(i), "start", cut(name, right-left-16, small))
	}
	b.end()
	b.group("axis", "stroke", ink, "stroke-width", "1")
	b.line(left, top, left, bottom)
	b.line(left, bottom, right, bottom)
	xs := ticks(0, x.high, 5)
	for _, v := range xs {
		b.line(x.at(v), bottom, x.at(v), bottom+4)
	}
	b.end()
	b.group("ticks", "font-size", num(small))
	b.ticks(p.X, x, xs, bottom+17)
	b.end()
	b.group("labels", "font-size", num(small), "fill", soft)
	b.text((left+right)/2, bottom+33, "middle", cut(p.X.Label, width-8, small))
	b.end()
	if finite(p.Limit) {
		b.group("limit", "stroke", soft, "stroke-width", "1.4", "stroke-dasharray", "5 3")
		b.line(x.at(p.Limit), top-4, x.at(p.Limit), bottom)
		b.end()
		b.group("limit-name", "font-size", num(small), "fill", soft)
		name := cut(p.LimitName, right-left, small)
		half := textWidth(name, small) / 2
		b.text(math.Max(left+half, math.Min(right-half, x.at(p.Limit))), top-8, "middle", name)
		b.end()
	}
	for i, r := range p.Rows {
		at := top + row*float64(i)
		b.group("row-name", "font-size", num(small), "stroke", "#fff", "stroke-width", "3", "paint-order", "stroke")
		b.text(left+4, at+12, "start", cut(r.Label, right-left-4, small))
		b.end()
		b.group("row", "stroke", grid)
		b.line(left, at+22, right, at+22)
		b.end()
		b.group("marks", "fill", ink, "stroke", ink, "stroke-width", "1.4")
		for k, v := range r.Values {
			if finite(v) {
				b.mark(p.Marks[k%len(p.Marks)], x.clip(v), at+22, 4)
			}
		}
		b.end()
	}
	return b.done()
}
