// Package words is what reports say, in the languages they are written in: texts by key,
// numbers, dates and money in the language's form, and its alphabetical order.
//
// A text is a line of NAME.yaml in the folder of each language; its key is NAME.key. It may
// hold arguments in braces, as {provider}. Where a count decides the form, the line has two,
// one and other, and the argument {n} is the count.
package words

import (
	"cmp"
	"embed"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// texts are the words of all languages.
//
//go:embed da/*.yaml en/*.yaml
var texts embed.FS

// Tags lists the languages, the default first.
func Tags() []string { return []string{"da", "en"} }

// Language is one of the languages of reports. It is not for concurrent use.
type Language struct {
	Tag   string // da or en: the attribute lang of a page
	texts map[string]text
	order *collate.Collator
}

// text is one line, in the forms that its count asks for; those of a text without a count
// are the same.
type text struct{ one, other string }

// UnmarshalYAML reads a text, or its two forms.
func (t *text) UnmarshalYAML(b []byte) error {
	if err := yaml.Unmarshal(b, &t.other); err == nil {
		t.one = t.other
		return nil
	}
	var forms struct {
		One   string `yaml:"one"`
		Other string `yaml:"other"`
	}
	if err := yaml.UnmarshalWithOptions(b, &forms, yaml.Strict()); err != nil {
		return err
	}
	t.one, t.other = forms.One, forms.Other
	return nil
}

// New is the language of a tag, which is one of [Tags].
func New(tag string) (*Language, error) {
	if !slices.Contains(Tags(), tag) {
		return nil, fmt.Errorf("reports are not written in %q: choose of %s", tag, strings.Join(Tags(), ", "))
	}
	l := &Language{Tag: tag, texts: map[string]text{}, order: collate.New(language.Make(tag))}
	files, err := texts.ReadDir(tag)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := texts.ReadFile(path.Join(tag, f.Name()))
		if err != nil {
			return nil, err
		}
		var of map[string]text
		if err := yaml.Unmarshal(b, &of); err != nil {
			return nil, fmt.Errorf("words of %s, %s: %w", tag, f.Name(), err)
		}
		for key, t := range of {
			l.texts[strings.TrimSuffix(f.Name(), ".yaml")+"."+key] = t
		}
	}
	return l, nil
}

// Has says whether there is a text for a key.
func (l *Language) Has(key string) bool { _, ok := l.texts[key]; return ok }

// Keys lists the keys of all texts, sorted.
func (l *Language) Keys() []string {
	out := make([]string, 0, len(l.texts))
	for key := range l.texts {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// T is the text of a key with its arguments, given as name, value, name, value: texts stand
// as they are, numbers are written as counts, dates as dates. A key without a text stands for
// itself, in double brackets; the tests of this module find it.
func (l *Language) T(key string, args ...any) string {
	t, ok := l.texts[key]
	if !ok {
		return "[[" + key + "]]"
	}
	form := t.other
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		name, _ := args[i].(string)
		pairs = append(pairs, "{"+name+"}", l.value(args[i+1]))
		if name == "n" && l.value(args[i+1]) == "1" {
			form = t.one
		}
	}
	return strings.NewReplacer(pairs...).Replace(form)
}

// Code is the text of a code of the tables, as the verdict not_rated: that of the key
// prefix.code, or the code with spaces where there is none.
func (l *Language) Code(prefix, code string) string {
	if key := prefix + "." + code; l.Has(key) {
		return l.T(key)
	}
	return strings.ReplaceAll(code, "_", " ")
}

func (l *Language) value(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return l.Count(float64(v))
	case int64:
		return l.Count(float64(v))
	case float64:
		return l.Count(v)
	case effect.Date:
		return l.Date(v)
	case bonus.Ore:
		return l.Kroner(v)
	}
	return fmt.Sprint(v)
}

// Count is a whole number: 1.234 or 1,234. NaN is not known, or may not be shown: the caller
// says which in words.
func (l *Language) Count(x float64) string { return l.Number(x, 0) }

// Number is a number with so many decimals, halves away from zero as in print: 1.234,5 or
// 1,234.5, with a true minus sign. A number that rounds to nothing has no sign. NaN is a
// question mark, which no page should show: say in words why there is no number.
func (l *Language) Number(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "?"
	}
	scale := math.Pow10(decimals)
	if r := math.Round(x*scale) / scale; !math.IsInf(r, 0) {
		x = r
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	return sign(x < 0) + l.grouped(s)
}

// Signed is Number with a plus sign before what is above 0.
func (l *Language) Signed(x float64, decimals int) string {
	s := l.Number(x, decimals)
	if x > 0 && strings.ContainsAny(s, "123456789") {
		s = "+" + s
	}
	return s
}

func sign(negative bool) string {
	if negative {
		return "−"
	}
	return ""
}

// grouped puts separators into a decimal with a point.
func (l *Language) grouped(s string) string {
	whole, fraction, point := strings.Cut(s, ".")
	group, mark := ",", "."
	if l.Tag == "da" {
		group, mark = ".", ","
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if point {
		whole += mark + fraction
	}
	return whole
}

// Percent is a share as a percentage: 12,3 % or 12.3%.
func (l *Language) Percent(share float64, decimals int) string {
	if l.Tag == "da" {
		return l.Number(100*share, decimals) + "\u00a0%"
	}
	return l.Number(100*share, decimals) + "%"
}

// Kroner is an amount in kroner: whole ones without decimals, others with two. 1.234,50 kr.
// or DKK 1,234.50.
func (l *Language) Kroner(o bonus.Ore) string {
	s := strings.TrimSuffix(strings.TrimPrefix(o.String(), "-"), ".00")
	s = sign(o < 0) + l.grouped(s)
	if l.Tag == "da" {
		return s + "\u00a0kr."
	}
	return "DKK\u00a0" + s
}

// Date is a day: 30. juni 2010 or 30 June 2010; of no day "?".
func (l *Language) Date(d effect.Date) string {
	if d == effect.NoDate {
		return "?"
	}
	iso := d.String() // 2010-06-30
	if len(iso) != len("2010-06-30") {
		return iso
	}
	month := l.T("date." + iso[5:7])
	return l.T("date.day", "day", strings.TrimPrefix(iso[8:], "0"), "month", month, "year", iso[:4])
}

// Period is a period as 2008, 2008H1, 2008Q3 or 2008-09 in words; other texts stay.
func (l *Language) Period(s string) string {
	if len(s) < 6 || strings.Trim(s[:4], "0123456789") != "" {
		return s
	}
	switch rest := s[4:]; {
	case rest == "H1" || rest == "H2":
		return l.T("date.half", "year", s[:4], "n", rest[1:])
	case len(rest) == 2 && rest[0] == 'Q':
		return l.T("date.quarter", "year", s[:4], "n", rest[1:])
	case len(rest) == 3 && rest[0] == '-' && l.Has("date."+rest[1:]):
		return l.T("date.month", "year", s[:4], "month", l.T("date."+rest[1:]))
	}
	return s
}

// Compare is the alphabetical order of the language: in Danish æ, ø and å come last, and aa
// counts as å. Names that differ in their capitals alone go by their bytes.
func (l *Language) Compare(a, b string) int {
	return cmp.Or(l.order.CompareString(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}

// List is an enumeration: a, b og c, or a, b and c.
func (l *Language) List(of []string) string {
	if len(of) < 2 {
		return strings.Join(of, "")
	}
	return strings.Join(of[:len(of)-1], ", ") + " " + l.T("date.and") + " " + of[len(of)-1]
}
