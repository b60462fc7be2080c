package words

import (
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

func both(t *testing.T) (da, en *Language) {
	t.Helper()
	da, err := New("da")
	require.NoError(t, err)
	en, err = New("en")
	require.NoError(t, err)
	return da, en
}

// Every text stands in both languages, with the same arguments, in each of its forms.
func TestLanguagesSayTheSame(t *testing.T) {
	da, en := both(t)
	require.Equal(t, da.Keys(), en.Keys())
	argument := regexp.MustCompile(`\{[a-z_]+\}`)
	arguments := func(s string) []string {
		out := argument.FindAllString(s, -1)
		slices.Sort(out)
		return slices.Compact(out)
	}
	for _, key := range da.Keys() {
		a, b := da.texts[key], en.texts[key]
		assert.NotEmpty(t, a.one, key)
		assert.NotEmpty(t, b.one, key)
		assert.Equal(t, arguments(a.other), arguments(b.other), key)
		assert.Equal(t, arguments(a.one), arguments(a.other), key)
		assert.Equal(t, arguments(b.one), arguments(b.other), key)
	}
}

func TestUnknownLanguage(t *testing.T) {
	_, err := New("../da")
	require.ErrorContains(t, err, "choose of da, en")
}

// The forms are those of Danish and English print: Retskrivningsordbogen §§ 41 and 45, the
// space before % included; Unicode's minus.
func TestNumbers(t *testing.T) {
	da, en := both(t)
	for _, c := range []struct {
		x        float64
		decimals int
		da, en   string
	}{
		{0, 0, "0", "0"},
		{1234.56, 2, "1.234,56", "1,234.56"},
		{-1234567.5, 1, "−1.234.567,5", "−1,234,567.5"},
		{999.5, 0, "1.000", "1,000"},
		{-0.04, 1, "0,0", "0.0"}, // what rounds to nothing has no sign
		{0.5, 0, "1", "1"},
		{-0.5, 0, "−1", "−1"},
		{1e15, 0, "1.000.000.000.000.000", "1,000,000,000,000,000"},
		{math.NaN(), 0, "?", "?"},
		{math.Inf(1), 0, "?", "?"},
	} {
		assert.Equal(t, c.da, da.Number(c.x, c.decimals))
		assert.Equal(t, c.en, en.Number(c.x, c.decimals))
	}
	assert.Equal(t, "12,3\u00a0%", da.Percent(0.123, 1))
	assert.Equal(t, "12.3%", en.Percent(0.123, 1))
	assert.Equal(t, "+0,1", da.Signed(0.06, 1))
	assert.Equal(t, "0,0", da.Signed(0.04, 1))
	assert.Equal(t, "0.0", en.Signed(-0.04, 1))
	assert.Equal(t, "−2.0", en.Signed(-2, 1))
	assert.Equal(t, "3.140.233\u00a0kr.", da.Kroner(314023300))
	assert.Equal(t, "−0,05\u00a0kr.", da.Kroner(-5))
	assert.Equal(t, "DKK\u00a01,234.50", en.Kroner(123450))
	assert.Equal(t, "0\u00a0kr.", da.Kroner(bonus.Ore(0)))
}

func TestDatesAndPeriods(t *testing.T) {
	da, en := both(t)
	day := effect.NewDate(2010, 6, 30)
	assert.Equal(t, "30. juni 2010", da.Date(day))
	assert.Equal(t, "30 June 2010", en.Date(day))
	assert.Equal(t, "1 March 2008", en.Date(effect.NewDate(2008, 3, 1)))
	assert.Equal(t, "?", da.Date(effect.NoDate))
	for period, want := range map[string]string{
		"2008": "2008", "2008H1": "1. halvår 2008", "2008Q3": "3. kvartal 2008", "2008-09": "september 2008", "2008-13": "2008-13", "": "", "2008H3": "2008H3", "<b>": "<b>",
	} {
		assert.Equal(t, want, da.Period(period))
	}
	assert.Equal(t, "quarter 3 of 2008", en.Period("2008Q3"))
}

// Aabenraa, Aalborg and Aarhus come after Ærø in a Danish list; not in an English one.
func TestAlphabet(t *testing.T) {
	da, en := both(t)
	names := []string{"Aarhus", "Ærø", "Zealand", "Odense", "Østerbro", "Aalborg", "aabenraa"}
	slices.SortFunc(names, da.Compare)
	assert.Equal(t, []string{"Odense", "Zealand", "Ærø", "Østerbro", "aabenraa", "Aalborg", "Aarhus"}, names)
	slices.SortFunc(names, en.Compare)
	assert.Equal(t, "aabenraa", names[0])
	assert.Equal(t, "a, b og c", da.List([]string{"a", "b", "c"}))
	assert.Equal(t, "a and b", en.List([]string{"a", "b"}))
	assert.Equal(t, "a", en.List([]string{"a"}))
	assert.Empty(t, en.List(nil))
}

// One is one, in all the kinds of numbers; an argument stands as it is, braces included.
func TestTexts(t *testing.T) {
	da, _ := both(t)
	assert.Equal(t, "1 uge", da.T("span.weeks", "n", 1))
	assert.Equal(t, "1 uge", da.T("span.weeks", "n", 1.0))
	assert.Equal(t, "1.234 uger", da.T("span.weeks", "n", int64(1234)))
	assert.Equal(t, "0 uger", da.T("span.weeks", "n", 0))
	assert.Equal(t, "{n}: x", da.T("answer.short", "provider", "{n}", "says", "x"))
	assert.Equal(t, "[[no.such]]", da.T("no.such"))
	assert.Equal(t, "ikke vurderet", da.Code("verdict", "not_rated"))
	assert.Equal(t, "some code", da.Code("verdict", "some_code"))
}
