package chart

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// hostile is a name that would break a page if it were taken for anything but text.
const hostile = "=cmd()|<script>alert(1)</script>\"'&\n\t\u202eevil\u0000 ]]> <svg onload=x>"

// node is an element of a picture.
type node struct {
	name, class string
	attr        map[string]string
	text        string
	in          string // classes of the groups around it
}

// parse reads a picture as XML: what does not read is no picture.
func parse(t require.TestingT, picture template.HTML) (nodes []node) {
	d := xml.NewDecoder(strings.NewReader(string(picture)))
	var open []int
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err, string(picture))
		switch token := token.(type) {
		case xml.StartElement:
			n := node{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				n.attr[a.Name.Local] = a.Value
			}
			n.class = n.attr["class"]
			for _, i := range open {
				n.in += " " + nodes[i].class
			}
			open = append(open, len(nodes))
			nodes = append(nodes, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				nodes[open[len(open)-1]].text += string(token)
			}
		}
	}
	require.Empty(t, open)
	return nodes
}

// within are the elements of a name in groups of a class.
func within(nodes []node, class, name string) (found []node) {
	for _, n := range nodes {
		if n.name == name && slices.Contains(strings.Fields(n.in), class) {
			found = append(found, n)
		}
	}
	return found
}

// sound holds what is true of every picture.
func sound(t require.TestingT, picture template.HTML) []node {
	nodes := parse(t, picture)
	root := nodes[0]
	require.Equal(t, "svg", root.name)
	var w, h float64
	_, err := fmt.Sscanf(root.attr["viewBox"], "0 0 %g %g", &w, &h)
	require.NoError(t, err)
	if root.attr["aria-hidden"] == "" {
		require.Equal(t, "img", root.attr["role"])
		id := root.attr["id"]
		require.Regexp(t, `^[A-Za-z][A-Za-z0-9-]*$`, id)
		require.Equal(t, id+"-title "+id+"-desc", root.attr["aria-labelledby"])
		require.Equal(t, []string{"title", id + "-title"}, []string{nodes[1].name, nodes[1].attr["id"]})
		require.Equal(t, []string{"desc", id + "-desc"}, []string{nodes[2].name, nodes[2].attr["id"]})
	} else {
		require.Empty(t, root.attr["id"])
	}
	for _, n := range nodes {
		require.Contains(t, []string{"svg", "title", "desc", "g", "path", "circle", "text"}, n.name)
		for k, v := range n.attr {
			require.NotContains(t, v, "NaN", k)
			require.NotContains(t, v, "Inf", k)
			require.False(t, strings.HasPrefix(k, "on") || k == "href" || strings.Contains(v, "url("), "%s=%q", k, v)
		}
		require.NotRegexp(t, "[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]", n.text)
		x, y, ok := n.at()
		if ok && !strings.Contains(n.in, "labels") { // the label of an axis that stands upright is turned
			require.True(t, x >= -0.01 && x <= w+0.01 && y >= -0.01 && y <= h+0.01, "%v outside %g x %g", n, w, h)
		}
	}
	return nodes
}

// at is where an element stands: a text, the middle of a circle, the start of a path.
func (n node) at() (x, y float64, ok bool) {
	switch n.name {
	case "text":
		return number(n.attr["x"]), number(n.attr["y"]), true
	case "circle":
		return number(n.attr["cx"]), number(n.attr["cy"]), true
	case "path":
		_, err := fmt.Sscanf(regexp.MustCompile(`[MLHVZ]`).ReplaceAllString(n.attr["d"], " "), "%g %g", &x, &y)
		return x, y, err == nil
	}
	return 0, 0, false
}

func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func danish(v float64) string {
	return strings.Replace(strconv.FormatFloat(100*v, 'f', -1, 64), ".", ",", 1)
}

func someFunnel() Funnel {
	f := Funnel{
		Picture: Picture{ID: "funnel-4", Title: "Matchgruppe 4: forskel og usikkerhed", Desc: "Uldkompas ligger under den nedre 95 %-grænse."},
		X:       Axis{Label: "standardfejl (procentpoint): sikrest til højre", Format: danish},
		Y:       Axis{Label: "forskel (procentpoint)", Format: danish},
		Limits:  []Limit{{"95 %", 1.959963985}, {"99,8 %", 3.090232306}},
		Points: []Point{
			{0.0579, 0.0013, "Egne projekter", Circle},
			{0.0595, -0.0353, "Rævesky (opdigtet)", Circle},
			{0.0483, 0.0333, "Månesten (opdigtet)", Circle},
			{0.0651, -0.1350, "Kridtugle (opdigtet)", Down},
		},
	}
	for i := range 40 {
		u, v := math.Mod(float64(i)*0.618034, 1), math.Mod(float64(i)*0.754878, 1)
		s := 0.035 + 0.07*u
		f.Points = append(f.Points, Point{X: s, Y: 1.6 * s * (2*v - 1) * 1.3})
	}
	return f
}

func someCurves() Curves {
	c := Curves{
		Picture: Picture{ID: "curves-4", Title: "Tid til job", Desc: "Efter 52 uger er 41 % i job hos Månesten og 28 % hos Kridtugle."},
		X:       Axis{Label: "dage siden henvisning"},
		Y:       Axis{Label: "andel i job (%)", Format: danish},
		Ticks:   []float64{0, 98, 182, 266, 364},
		AtRisk:  "Endnu fulgt",
	}
	for i, name := range []string{"Egne projekter", "Rævesky (opdigtet)", "Månesten (opdigtet)", "Kridtugle (opdigtet)"} {
		curve := Curve{Label: name}
		for day := 0; day <= 364; day += 14 {
			curve.Points = append(curve.Points, Known{float64(day), (0.3 + 0.04*float64(i)) * (1 - math.Exp(-float64(day)/150)), strconv.Itoa(240 - 10*i - day/4)})
		}
		c.Curves = append(c.Curves, curve)
	}
	return c
}

func someBalance() Balance {
	return Balance{
		Picture: Picture{ID: "balance", Title: "Hvor ens borgerne er", Desc: "2 af 4 sammenligninger ligger over grænsen."},
		X:       Axis{Label: "standardiseret forskel", Format: func(v float64) string { return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), ".", ",", 1) }},
		Marks:   []Mark{Circle, Diamond}, Names: []string{"i det, der er afstemt på", "også i kvadrater og produkter"},
		Limit: 0.25, LimitName: "grænse 0,25",
		Rows: []BalanceRow{
			{"Egne projekter, matchgruppe 4", []float64{0.001, 0.12}},
			{"Rævesky (opdigtet), matchgruppe 4", []float64{0.02, 0.31}},
			{"Månesten (opdigtet), matchgruppe 4", []float64{0, math.NaN()}},
			{"Kridtugle (opdigtet), matchgruppe 4", []float64{0.04, 0.28}},
		},
	}
}

func TestFunnel(t *testing.T) {
	f := someFunnel()
	nodes := sound(t, f.Draw())
	require.Len(t, within(nodes, "others", "circle"), 40)
	require.Len(t, within(nodes, "own", "circle"), 3)
	require.Len(t, within(nodes, "own", "path"), 1)
	names := within(nodes, "names", "text")
	require.Len(t, names, 4)
	require.Equal(t, "Kridtugle (opdigtet)", names[0].text, "from the left, where the least sure are")

	// A marker outside a limit in numbers is outside its line in the picture.
	lines := within(nodes, "limit", "path")
	require.Len(t, lines, 4)
	under := func(x, y float64, line node) bool {
		var x1, y1, x2, y2 float64
		_, err := fmt.Sscanf(strings.NewReplacer("M", "", "L", " ").Replace(line.attr["d"]), "%g %g %g %g", &x1, &y1, &x2, &y2)
		require.NoError(t, err)
		return y > y1+(x-x1)/(x2-x1)*(y2-y1) // down is more
	}
	x, y, _ := within(nodes, "own", "path")[0].at()
	y -= 1.25 * 4.6 // from the tip to the middle
	require.True(t, under(x, y, lines[1]), "below the lower 95 % limit: -0.135 < -1.96 * 0.0651")
	require.False(t, under(x, y, lines[3]), "not below the lower 99.8 % limit: -0.135 > -3.09 * 0.0651")
	for _, n := range within(nodes, "own", "circle") {
		x, y, _ := n.at()
		require.False(t, under(x, y, lines[1]))
		require.True(t, under(x, y, lines[0]))
	}

	// Surer is further right, more is higher up.
	at := func(p Point) (float64, float64) {
		g := f
		g.Points = append(slices.Clone(f.Points[4:]), p)
		x, y, ok := within(parse(t, g.Draw()), "own", "circle")[0].at()
		require.True(t, ok)
		return x, y
	}
	x1, y1 := at(Point{0.05, 0.01, "a", Circle})
	x2, y2 := at(Point{0.04, 0.02, "a", Circle})
	require.Greater(t, x2, x1)
	require.Less(t, y2, y1)

	// The order of the points is no matter.
	g := f
	g.Points = slices.Clone(f.Points)
	slices.Reverse(g.Points)
	require.Equal(t, f.Draw(), g.Draw())

	// What is no number is not drawn.
	g.Points = []Point{{math.NaN(), 1, "a", Circle}, {1, math.Inf(1), "", Circle}, {0, 1, "b", Circle}}
	nodes = sound(t, g.Draw())
	require.Empty(t, within(nodes, "own", "circle"))
	require.Empty(t, within(nodes, "others", "circle"))
}

// Names of markers that crowd stand apart from each other.
func TestNamesStandApart(t *testing.T) {
	f := someFunnel()
	for i := range 8 {
		f.Points = append(f.Points, Point{0.06 + 0.001*float64(i), 0.004 * float64(i), fmt.Sprintf("Leverandør nummer %d", i), Circle})
	}
	names := within(sound(t, f.Draw()), "names", "text")
	require.Len(t, names, 12)
	box := func(n node) box {
		x, y, _ := n.at()
		return box{x, y - small + 1.5, textWidth(n.text, small), small}
	}
	covered := 0.0
	for i := range names {
		for j := range names[:i] {
			covered += box(names[i]).over(box(names[j]))
		}
	}
	require.Zero(t, covered)
}

func TestCurves(t *testing.T) {
	c := someCurves()
	nodes := sound(t, c.Draw())
	curves := within(nodes, "curve", "path")
	require.Len(t, curves, 4)
	require.Len(t, within(nodes, "points", "circle"), 4*27)
	seen := map[string]bool{}
	for _, n := range nodes {
		if n.class == "curve" {
			seen[n.attr["stroke-dasharray"]] = true
		}
	}
	require.Len(t, seen, 4, "each has a dash of its own")
	for i, n := range curves {
		x, y := 0.0, math.Inf(1)
		for _, s := range strings.FieldsFunc(n.attr["d"], func(r rune) bool { return r == 'M' || r == 'L' }) {
			at := strings.Fields(s)
			require.GreaterOrEqual(t, number(at[0]), x)
			require.LessOrEqual(t, number(at[1]), y, "it never falls")
			x, y = number(at[0]), number(at[1])
		}
		require.Equal(t, len(c.Curves[i].Points), strings.Count(n.attr["d"], "L"))
	}
	names := within(nodes, "names", "text")
	require.Len(t, names, 4)
	for i := range names[1:] {
		_, a, _ := names[i].at()
		_, b, _ := names[i+1].at()
		require.GreaterOrEqual(t, a-b, small, "the higher curve has the higher name, a line apart")
	}
	require.Len(t, within(nodes, "at-risk", "text"), 1+4*(1+5))

	// A curve ends where it is not known; one that is never known stays at 0.
	c.Curves = []Curve{
		{"a", []Known{{10, 0.1, "9"}, {20, math.NaN(), "5"}, {30, 0.3, "5"}}},
		{"b", []Known{{math.NaN(), 1, ""}}},
	}
	curves = within(sound(t, c.Draw()), "curve", "path")
	require.Equal(t, 1, strings.Count(curves[0].attr["d"], "L"))
	require.NotContains(t, curves[1].attr["d"], "L")

	c.Curves = make([]Curve, 9)
	require.Len(t, within(sound(t, c.Draw()), "curve", "path"), MostLines)
}

func TestBalance(t *testing.T) {
	p := someBalance()
	nodes := sound(t, p.Draw())
	require.Len(t, within(nodes, "row-name", "text"), 4)
	require.Len(t, within(nodes, "marks", "circle"), 4)
	require.Len(t, within(nodes, "marks", "path"), 3, "NaN is not drawn")
	limit, _, _ := within(nodes, "limit", "path")[0].at()
	diamonds := within(nodes, "marks", "path")
	for i, over := range []bool{false, true, true} {
		x, _, _ := diamonds[i].at()
		require.Equal(t, over, x > limit)
	}
	p.Limit = math.NaN()
	require.Empty(t, within(sound(t, p.Draw()), "limit", "path"))
	p.Rows = nil
	sound(t, p.Draw())
}

func TestInline(t *testing.T) {
	s := SpanOf(0, -0.1, 0.2, math.NaN())
	require.Equal(t, Span{-0.2, 0.2, 0}, s)
	nodes := sound(t, s.Interval(-0.1, 0.05, 0.4, Up))
	require.Len(t, within(nodes, "mark", "path"), 1)
	classes := func(nodes []node) (list []string) {
		for _, n := range nodes[1:] {
			if n.class != "" {
				list = append(list, n.class)
			}
		}
		return list
	}
	require.Equal(t, []string{"center", "span", "beyond", "mark"}, classes(nodes))
	require.Equal(t, []string{"center"}, classes(sound(t, s.Interval(math.NaN(), math.NaN(), math.NaN(), Up))))
	require.Equal(t, Span{-1, 1, 0}, SpanOf(0))

	require.Equal(t, []string{"whole", "part"}, classes(sound(t, Bar(0.25))))
	require.Contains(t, Bar(0.25), `class="part" d="M0 0H40V14H0Z"`)
	require.Equal(t, Bar(1), Bar(1.5))
	require.Equal(t, []string{"whole"}, classes(sound(t, Bar(math.NaN()))))
}

func TestHostileText(t *testing.T) {
	long := strings.Repeat(hostile, 200)
	f, c, p := someFunnel(), someCurves(), someBalance()
	for i := range f.Points[:4] {
		f.Points[i].Label = long
	}
	for i := range c.Curves {
		c.Curves[i].Label = long
		c.Curves[i].Points[0].AtRisk = hostile
	}
	for i := range p.Rows {
		p.Rows[i].Label = long
	}
	for _, a := range []*Axis{&f.X, &f.Y, &c.X, &c.Y, &p.X} {
		a.Label, a.Format = long, func(float64) string { return hostile }
	}
	for _, q := range []*Picture{&f.Picture, &c.Picture, &p.Picture} {
		*q = Picture{hostile, long, long}
	}
	f.Limits[0].Label, c.AtRisk, p.LimitName, p.Names[0] = hostile, hostile, long, long
	for _, picture := range []template.HTML{f.Draw(), c.Draw(), p.Draw()} {
		nodes := sound(t, picture)
		require.Equal(t, 1, strings.Count(string(picture), "<svg"))
		require.NotContains(t, picture, "<script")
		for _, n := range nodes {
			if n.name == "text" {
				require.Less(t, len(n.text), 200)
			}
		}
	}
}

// Whatever the numbers, a picture is sound, all of it inside its frame.
func TestAnyNumbers(t *testing.T) {
	any64 := rapid.OneOf(rapid.Float64Range(-1e9, 1e9), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, -1e-9}))
	rapid.Check(t, func(t *rapid.T) {
		f := Funnel{Limits: []Limit{{"a", 1.96}, {"b", 3.09}}, Center: rapid.Float64Range(-1, 1).Draw(t, "center")}
		c := Curves{AtRisk: "n"}
		p := Balance{Marks: []Mark{Circle, Square}, Names: []string{"a", "b"}, Limit: rapid.Float64Range(0, 1).Draw(t, "limit")}
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			f.Points = append(f.Points, Point{any64.Draw(t, "x"), any64.Draw(t, "y"), rapid.SampledFrom([]string{"", "name"}).Draw(t, "label"), Mark(rapid.IntRange(0, 5).Draw(t, "mark"))})
			p.Rows = append(p.Rows, BalanceRow{"row", []float64{math.Abs(any64.Draw(t, "a")), math.Abs(any64.Draw(t, "b"))}})
			curve := Curve{Label: "curve"}
			x := 0.0
			for range rapid.IntRange(0, 5).Draw(t, "steps") {
				x += rapid.Float64Range(0, 100).Draw(t, "step")
				curve.Points = append(curve.Points, Known{x, rapid.OneOf(rapid.Float64Range(0, 1), rapid.Just(math.NaN())).Draw(t, "up"), "5"})
			}
			c.Curves = append(c.Curves, curve)
		}
		sound(t, f.Draw())
		sound(t, c.Draw())
		sound(t, p.Draw())
		v := any64.Draw(t, "v")
		sound(t, SpanOf(0, v, any64.Draw(t, "w")).Interval(any64.Draw(t, "low"), v, any64.Draw(t, "high"), Circle))
		sound(t, Bar(v))
	})
}

func TestTicks(t *testing.T) {
	require.Equal(t, []float64{0, 0.1, 0.2, 0.3}, ticks(0, 0.3, 5))
	require.Equal(t, []float64{-0.2, -0.1, 0, 0.1, 0.2}, ticks(-0.25, 0.25, 6))
	require.Equal(t, []float64{0, 100, 200, 300}, ticks(0, 364, 5))
	require.Empty(t, ticks(1, 1, 5))
	require.LessOrEqual(t, len(ticks(1, 1+1e-15, 5)), 5, "steps that cannot be counted end")
	require.Empty(t, ticks(0, math.NaN(), 5))
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e6, 1e6).Draw(t, "low")
		high := low + rapid.Float64Range(1e-3, 1e6).Draw(t, "length")
		most := rapid.IntRange(4, 9).Draw(t, "most")
		at := ticks(low, high, most)
		require.NotEmpty(t, at)
		require.LessOrEqual(t, len(at), most)
		for i, v := range at {
			require.True(t, v >= low-1e-6*(high-low) && v <= high+1e-6*(high-low))
			require.True(t, i == 0 || v > at[i-1])
		}
	})
}

func TestSpread(t *testing.T) {
	require.Equal(t, []float64{10, 50, 30}, spread([]float64{10, 50, 30}, 13, 0, 100))
	require.Equal(t, []float64{50, 63, 76}, spread([]float64{50, 50, 50}, 13, 0, 100))
	require.Equal(t, []float64{74, 100, 87}, spread([]float64{90, 99, 95}, 13, 0, 100))
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOfN(rapid.Float64Range(0, 100), 0, 12).Draw(t, "at")
		to := spread(at, 13, 0, 100)
		gap := 13.0
		if len(at) > 1 {
			gap = math.Min(gap, 100/float64(len(at)-1))
		}
		for i := range at {
			require.True(t, to[i] >= -1e-9 && to[i] <= 100+1e-9)
			for j := range at[:i] {
				require.GreaterOrEqual(t, math.Abs(to[i]-to[j]), gap-1e-9)
				if at[i] < at[j] {
					require.Less(t, to[i], to[j])
				}
			}
		}
	})
}

// luminance is the relative luminance of a colour, and lightness its L* in CIELAB
// (WCAG 2.2, relative luminance; CIE 15:2018).
func luminance(t require.TestingT, colour string) (y, lightness float64) {
	var c [3]int
	_, err := fmt.Sscanf(colour, "#%02x%02x%02x", &c[0], &c[1], &c[2])
	require.NoError(t, err)
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		y += weight * v
	}
	if y > 216.0/24389 {
		return y, 116*math.Cbrt(y) - 16
	}
	return y, y * 24389 / 27
}

// On white paper, in grey and in colour.
func TestPalette(t *testing.T) {
	contrast := func(colour string) float64 {
		y, _ := luminance(t, colour)
		return 1.05 / (y + 0.05)
	}
	for _, text := range []string{ink, soft} {
		assert.GreaterOrEqual(t, contrast(text), 7.0, text) // WCAG 1.4.6
	}
	assert.GreaterOrEqual(t, contrast(faint), 3.0) // WCAG 1.4.11
	all := lines()
	for i, a := range all {
		assert.GreaterOrEqual(t, contrast(a.colour), 3.0, a.colour)
		_, l := luminance(t, a.colour)
		for _, b := range all[:i] {
			_, m := luminance(t, b.colour)
			assert.GreaterOrEqual(t, math.Abs(l-m), 10.0, "%s and %s in grey", a.colour, b.colour)
			assert.NotEqual(t, a.dash, b.dash)
		}
	}
}

// TestPictures writes the pictures to the folder that JOBEFFEKT_PICTURES names, to be
// looked at.
func TestPictures(t *testing.T) {
	folder := os.Getenv("JOBEFFEKT_PICTURES")
	if folder == "" {
		t.Skip("JOBEFFEKT_PICTURES names no folder")
	}
	s := SpanOf(0, -0.2, 0.2)
	page := "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><body style='margin:16px'>" +
		string(someFunnel().Draw()+someCurves().Draw()+someBalance().Draw()) + "<p>" +
		string(s.Interval(-0.1, 0.05, 0.4, Up)+s.Interval(-0.1, -0.05, -0.01, Down)+s.Interval(-0.1, 0.01, 0.12, Circle)+Bar(0.3))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pictures.html"), []byte(page), 0o644))
}
