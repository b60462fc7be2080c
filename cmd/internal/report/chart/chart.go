// Package chart draws the report's pictures as SVG that stands in a page of HTML.
//
// Every picture is about 360 units wide, so that its text is read on a telephone, and
// grows to no more than 30 rem. It says nothing by colour alone: what differs, differs
// in shape or dash too, and is named beside it. Colours are apart in lightness, so that
// they are apart in grey. Text stays text, in the font of the page. A picture has a title and a description for
// who cannot see it, no script, and refers to nothing outside itself. The same inputs
// give the same bytes.
//
// The package knows no language and no table: labels come as they are to be read, and
// numbers are written by the functions of an [Axis]. Labels may hold anything: they are
// escaped, characters that would turn the direction of the text are replaced, and long
// ones are cut. A figure that is NaN or infinite is not drawn: that it is missing must be
// said beside the picture, where it is told why.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// Picture is what every picture has.
type Picture struct {
	ID    string // unique on its page; what is no letter, digit or hyphen becomes a hyphen
	Title string // what is shown, as the heading of the picture
	Desc  string // its message in a sentence or two, for who cannot see it
}

// Axis is one axis of a picture.
type Axis struct {
	Label  string               // what is measured, with its unit
	Format func(float64) string // writes a number of the axis; nil for the shortest decimal
}

func (a Axis) format(v float64) string {
	if v == 0 {
		v = 0 // no negative zero
	}
	if a.Format == nil {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return a.Format(v)
}

// Mark is the shape of a marker.
type Mark int

// The shapes.
const (
	Circle  Mark = iota
	Ring         // a circle that is not filled
	Up           // a triangle that points up
	Down         // a triangle that points down
	Diamond      // not filled
	Square
)

// The colours. All stand on white. Text has a contrast of 7 or more, lines and markers
// of 3 or more; the four of lines are apart in lightness. A test holds them.
const (
	ink   = "#1a1a1a" // text, axes, what the picture is about
	soft  = "#595959" // text and limits that stand back
	faint = "#767676" // markers of others
	grid  = "#d9d9d9"
)

// MostLines is how many curves fit in one picture. What has more is drawn in several.
const MostLines = 4

// lines are the colour and dash of each curve of a picture.
func lines() [MostLines]struct{ colour, dash string } {
	return [MostLines]struct{ colour, dash string }{
		{"#14213d", ""},
		{"#00517f", "7 3"},
		{"#b5500f", "2 3"},
		{"#009e73", "9 3 2 3"},
	}
}

const (
	width    = 360.0
	fontSize = 12.0
	small    = 11.0
)

// svg writes a picture. Attributes stand on groups, so that a page may style them.
type svg struct {
	strings.Builder
	id string
}

// ticks writes the numbers of the axis that runs across, none beyond the picture.
func (b *svg) ticks(a Axis, x scale, at []float64, y float64) {
	for _, v := range at {
		s := cut(a.format(v), 64, small)
		half := textWidth(s, small) / 2
		b.text(math.Max(half, math.Min(width-half, x.at(v))), y, "middle", s)
	}
}

// begin opens a picture with its title and description.
func begin(p Picture, class string, w, h float64) *svg {
	b := &svg{id: ident(p.ID)}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" class="chart %s" id="%s" viewBox="0 0 %s %s" width="100%%" role="img" aria-labelledby="%[2]s-title %[2]s-desc"`+
		` font-size="%[5]s" fill="%s" style="max-width:30rem;height:auto">`,
		class, b.id, num(w), num(h), num(fontSize), ink)
	fmt.Fprintf(b, `<title id="%[1]s-title">%[2]s</title><desc id="%[1]s-desc">%[3]s</desc>`, b.id, escape(p.Title), escape(p.Desc))
	b.WriteByte('\n')
	return b
}

func (b *svg) done() template.HTML {
	b.WriteString("</svg>")
	return template.HTML(b.String()) // every text in it went through escape
}

// group opens a group; each of attributes is a name and a value.
func (b *svg) group(class string, attributes ...string) {
	fmt.Fprintf(b, `<g class="%s"`, class)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			fmt.Fprintf(b, ` %s="%s"`, attributes[i], attributes[i+1])
		}
	}
	b.WriteString(">")
}

func (b *svg) end() { b.WriteString("</g>\n") }

func (b *svg) line(x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<path d="M%s %sL%s %s"/>`, num(x1), num(y1), num(x2), num(y2))
}

// text writes a text whose line stands at y; anchor is start, middle or end.
func (b *svg) text(x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text x="%s" y="%s"`, num(x), num(y))
	if anchor != "start" {
		fmt.Fprintf(b, ` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(b, `>%s</text>`, escape(s))
}

// mark draws a marker of a radius.
func (b *svg) mark(m Mark, x, y, r float64) {
	switch m {
	case Up:
		fmt.Fprintf(b, `<path d="M%s %sL%s %sH%sZ"/>`, num(x), num(y-1.25*r), num(x+1.15*r), num(y+0.85*r), num(x-1.15*r))
	case Down:
		fmt.Fprintf(b, `<path d="M%s %sL%s %sH%sZ"/>`, num(x), num(y+1.25*r), num(x+1.15*r), num(y-0.85*r), num(x-1.15*r))
	case Diamond:
		r *= 1.2
		fmt.Fprintf(b, `<path d="M%s %sL%s %sL%s %sL%s %sZ" fill="#fff"/>`, num(x), num(y-r), num(x+r), num(y), num(x), num(y+r), num(x-r), num(y))
	case Square:
		fmt.Fprintf(b, `<path d="M%s %sH%sV%sH%sZ"/>`, num(x-r), num(y-r), num(x+r), num(y+r), num(x-r))
	case Ring:
		fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="%s" fill="#fff"/>`, num(x), num(y), num(r))
	default:
		fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="%s"/>`, num(x), num(y), num(r))
	}
}

// num writes a coordinate with at most two decimals.
func num(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// ident makes an id of a text.
func ident(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, s)
	if s == "" || !unicode.IsLetter(rune(s[0])) {
		s = "c" + s
	}
	return s
}

// escape makes text of anything: on one line, without characters that move or turn it.
func escape(s string) string { return html.EscapeString(plain.Line(s)) }

// cut shortens a text to a width at the size of a font, with an ellipsis.
func cut(s string, most, size float64) string {
	if textWidth(s, size) <= most {
		return s
	}
	wide := textWidth("…", size)
	for i, r := range s {
		if wide += runeWidth(r, size); wide > most {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// textWidth is about how wide a text is, rather too wide than too narrow: fonts differ
// from machine to machine, and nobody measures them here.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += runeWidth(r, size)
	}
	return w
}

func runeWidth(r rune, size float64) float64 {
	switch {
	case strings.ContainsRune("iljtf.,:;|'!()[] ", r):
		return 0.39 * size
	case r >= 0x1100:
		return 1.05 * size
	case strings.ContainsRune("mwMWÆæ@%—…", r):
		return 0.98 * size
	case unicode.IsUpper(r):
		return 0.74 * size
	default:
		return 0.63 * size
	}
}

// finite says whether every number can be drawn.
func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// scale turns numbers of an axis into places of the picture.
type scale struct {
	low, high float64 // numbers
	from, to  float64 // places
}

func (s scale) at(v float64) float64 {
	if s.high == s.low {
		return (s.from + s.to) / 2
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

// clip holds a place within the axis.
func (s scale) clip(v float64) float64 {
	return s.at(math.Max(s.low, math.Min(s.high, v)))
}

// ticks are round numbers from low to high, no more than most of them and, where most is 4
// or more and the axis has any length, at least one: multiples of 1, 2 or 5 times a power
// of ten.
func ticks(low, high float64, most int) []float64 {
	if !finite(low, high) || high <= low || most < 2 {
		return nil
	}
	raw := (high - low) / float64(most-1)
	power := math.Floor(math.Log10(raw))
	var step float64
	for _, m := range []float64{1, 2, 5, 10} {
		// Divided, not multiplied, where the power is negative: 3/10 is 0.3, 3*0.1 is not.
		if step = m * math.Pow(10, power); step >= raw*(1-1e-9) {
			break
		}
	}
	var at []float64
	first := math.Ceil(low/step - 1e-9)
	for i := range most {
		k := first + float64(i)
		v := k * step
		if v > high+1e-9*step {
			break
		}
		if step < 1 {
			v = k / math.Round(1/step)
		}
		at = append(at, v)
	}
	return at
}
