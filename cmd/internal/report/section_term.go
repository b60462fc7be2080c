package report

import (
	"html/template"
	"math/big"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// termData is how much and how long is left of the agreements.
type termData struct{ Agreements []termOf }

type termOf struct {
	Title string
	Runs  string
	Rows  []upkeepOf
}

// upkeepOf is one thing to keep an eye on.
type upkeepOf struct {
	What, Agreed, Used, Left, Share, State string
	Note                                   string
}

// term shows what is left of each agreement: its volume, ceiling and term.
func (b *builder) term() (section, bool) {
	type row struct {
		Agreement string               `col:"agreement_id"`
		What      string               `col:"what"`
		Of        string               `col:"of"`
		By        effect.Date          `col:"by"`
		Agreed    string               `col:"agreed"`
		Used      string               `col:"used"`
		Share     float64              `col:"share"`
		From      bonus.PurchaseSource `col:"used_by"`
		UsedUp    effect.Date          `col:"used_up_on"`
		State     string               `col:"state"`
	}
	all := rows[row](b, jobeffekt.TableUpkeep)
	var d termData
	var lead []string
	asOf := b.p.Manifest.AsOf
	for _, t := range b.p.Terms {
		a := termOf{Title: short(t.Title), Runs: b.T("term.runs", "from", t.Starts, "to", t.Ends-1)}
		if left := t.Ends - asOf - 1; left > 0 {
			a.Runs += " " + b.T("term.left", "n", months(asOf, t.Ends))
		} else {
			a.Runs += " " + b.T("term.over")
		}
		for _, r := range all {
			if r.Agreement != t.Agreement || r.What == bonus.UpkeepEnd {
				continue
			}
			u := upkeepOf{What: b.T("term."+r.What, "of", short(r.Of)), State: b.l.Code("upkeep", r.State)}
			agreed, knows := decimal(r.Agreed)
			used, uses := decimal(r.Used)
			if knows {
				u.Agreed = b.l.Kroner(agreed)
			}
			switch {
			case knows && uses:
				u.Used, u.Left, u.Share = b.l.Kroner(used), b.l.Kroner(agreed-used), b.l.Percent(r.Share, 0)
				u.Note = b.l.Code("purchases", string(r.From))
			case knows:
				u.Used, u.Left = b.T("page.missing"), b.T("page.missing")
			}
			switch {
			case r.What == bonus.UpkeepOption:
				until, err := effect.ParseDate(r.Of)
				if err != nil {
					until = effect.NoDate
				}
				u.What = b.T("term.option", "until", until-1)
				u.Note = b.T("term.notice", "by", r.By)
			case r.UsedUp != effect.NoDate:
				u.Note = strings.TrimPrefix(u.Note+"; "+b.T("term.used_up", "on", r.UsedUp), "; ")
			}
			if r.What == bonus.UpkeepCeiling && knows && uses {
				lead = append(lead, b.T("term.lead", "left", b.l.Kroner(agreed-used), "agreed", b.l.Kroner(agreed)))
			}
			a.Rows = append(a.Rows, u)
		}
		d.Agreements = append(d.Agreements, a)
		lead = append(lead, a.Runs)
	}
	if len(d.Agreements) == 0 {
		return section{}, false
	}
	s := b.section("term", strings.Join(lead, " "), d)
	s.Open = true
	if len(all) == 0 {
		s.Body = template.HTML("<p class=\"none\">" + template.HTMLEscapeString(b.T("term.nothing")) + "</p>")
	}
	return s, true
}

// months are the whole months from a day to another.
func months(from, to effect.Date) int {
	x, y := from.Time(), to.Time()
	n := 12*(y.Year()-x.Year()) + int(y.Month()) - int(x.Month())
	if y.Day() < x.Day() {
		n--
	}
	return max(n, 0)
}

// decimal is an exact decimal of a table as an amount, to the nearest hundredth; ok is false
// where there is none.
func decimal(s string) (o bonus.Ore, ok bool) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, false
	}
	o, err := bonus.ParseOre(r.FloatString(2))
	return o, err == nil
}
