package chart

import (
	"fmt"
	"html/template"
	"math"
)

// The small pictures stand in the cell of a table whose numbers say the same, so they
// are hidden from who listens. They carry no id.

// Span is the scale that the intervals of a table share.
type Span struct {
	Low, High float64 // the ends of the scale
	Center    float64 // where a line stands: what no difference is
}

// SpanOf is a scale that has its middle at center and holds all of values that are
// numbers. Without any it is 1 to either side.
func SpanOf(center float64, values ...float64) Span {
	most := 0.0
	for _, v := range values {
		if finite(v) {
			most = math.Max(most, math.Abs(v-center))
		}
	}
	if most == 0 {
		most = 1
	}
	return Span{center - most, center + most, center}
}

// Interval is a small picture of an interval with its middle. What lies beyond the span
// is cut off at its end, with an arrow. Without low and high only the marker is drawn;
// without value nothing is, but the line.
func (s Span) Interval(low, value, high float64, m Mark) template.HTML {
	const w, h = 160.0, 22.0
	x := scale{s.Low, s.High, 7, w - 7}
	b := cell("interval", w, h)
	fmt.Fprintf(b, `<path class="center" d="M%s 0V%s" stroke="%s"/>`, num(x.at(s.Center)), num(h), faint)
	if finite(low, high) {
		fmt.Fprintf(b, `<path class="span" d="M%s 11H%s" stroke="%s" stroke-width="2"/>`, num(x.clip(low)), num(x.clip(high)), ink)
		if low < s.Low {
			b.WriteString(`<path class="beyond" d="M0 11L7 7V15Z"/>`)
		}
		if high > s.High {
			fmt.Fprintf(b, `<path class="beyond" d="M%s 11L%s 7V15Z"/>`, num(w), num(w-7))
		}
	}
	if finite(value) {
		b.group("mark", "fill", ink, "stroke", ink, "stroke-width", "1.4")
		b.mark(m, x.clip(value), h/2, 4.5)
		b.end()
	}
	return b.done()
}

// Bar is a small picture of a share of a whole; 0 or 1 where share is outside them, and
// an empty frame where it is NaN.
func Bar(share float64) template.HTML {
	const w, h = 160.0, 14.0
	b := cell("bar", w, h)
	fmt.Fprintf(b, `<path class="whole" d="M0.5 0.5H%sV%sH0.5Z" fill="#fff" stroke="%s"/>`, num(w-0.5), num(h-0.5), faint)
	if finite(share) {
		fmt.Fprintf(b, `<path class="part" d="M0 0H%sV%sH0Z"/>`, num(w*math.Max(0, math.Min(1, share))), num(h))
	}
	return b.done()
}

func cell(class string, w, h float64) *svg {
	b := &svg{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" class="inline %s" viewBox="0 0 %[3]s %[4]s" width="%[3]s" height="%[4]s" aria-hidden="true" focusable="false" fill="%[2]s" style="max-width:100%%">`,
		class, ink, num(w), num(h))
	return b
}
