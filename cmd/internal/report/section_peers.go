package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/peer"
)

// peersData says who is compared with, and how alike they are.
type peersData struct {
	Why    []string
	Tables []peerTable
}

// peerTable is a municipality with its peers.
type peerTable struct {
	Municipality string
	Caption      string
	Conditions   []string
	Rows         []peerRow // the first is the municipality itself
	Distances    bool
	Stability    []string
}

type peerRow struct {
	Name     string
	Values   []string
	Distance string
	Own      bool
}

// peers shows the peer municipalities and their framework conditions.
func (b *builder) peers() (section, bool) {
	type chosen struct {
		Municipality string  `col:"municipality"`
		Peer         string  `col:"peer"`
		Rank         float64 `col:"rank"`
		Distance     float64 `col:"distance"`
		By           string  `col:"by"`
	}
	type condition struct {
		Municipality string  `col:"municipality"`
		Peer         string  `col:"peer"`
		Condition    string  `col:"condition"`
		Value        float64 `col:"value"`
		PeerValue    float64 `col:"peer_value"`
	}
	type stability struct {
		Municipality string  `col:"municipality"`
		LeftOut      string  `col:"left_out"`
		Kept         float64 `col:"kept"`
		Refusal      string  `col:"refusal"`
	}
	all, values, again := rows[chosen](b, jobeffekt.TablePeers), rows[condition](b, jobeffekt.TablePeerValues), rows[stability](b, jobeffekt.TableStability)
	asked := b.p.Config.Peers
	if asked == nil || len(all) == 0 {
		return section{}, false
	}
	var d peersData
	var lead []string
	digits := map[string]int{} // of each condition: as many as a value of it needs
	for _, v := range values {
		digits[v.Condition] = max(digits[v.Condition], places(v.Value), places(v.PeerValue))
	}
	for _, m := range b.about {
		of := slices.DeleteFunc(slices.Clone(all), func(c chosen) bool { return c.Municipality != m })
		slices.SortStableFunc(of, func(x, y chosen) int { return cmp.Compare(x.Rank, y.Rank) })
		if len(of) == 0 {
			continue
		}
		t := peerTable{Municipality: m, Caption: b.T("peers.caption", "municipality", b.municipality(m))}
		own := peerRow{Name: b.municipality(m), Own: true}
		var names []string
		for i, c := range of {
			names = append(names, b.municipality(c.Peer))
			row := peerRow{Name: b.municipality(c.Peer)}
			if !math.IsNaN(c.Distance) {
				row.Distance, t.Distances = b.l.Number(c.Distance, 1), true
			}
			for _, v := range values {
				if v.Municipality != m || v.Peer != c.Peer {
					continue
				}
				if i == 0 {
					t.Conditions = append(t.Conditions, capital(b.l.Code("condition", v.Condition)))
					own.Values = append(own.Values, b.decimal(v.Value, digits[v.Condition]))
				}
				row.Values = append(row.Values, b.decimal(v.PeerValue, digits[v.Condition]))
			}
			t.Rows = append(t.Rows, row)
		}
		t.Rows = slices.Insert(t.Rows, 0, own)
		for _, s := range again {
			if s.Municipality != m {
				continue
			}
			name := b.l.Code("condition", s.LeftOut)
			if s.Refusal != "" {
				t.Stability = append(t.Stability, b.T("peers.unstable", "condition", name))
			} else {
				t.Stability = append(t.Stability, b.T("peers.stable", "condition", name, "kept", s.Kept, "of", len(of)))
			}
		}
		d.Tables = append(d.Tables, t)
		lead = append(lead, b.T("peers.lead", "municipality", b.municipality(m), "n", len(of), "peers", b.l.List(names)))
	}
	if len(d.Tables) == 0 {
		return section{}, false
	}
	if len(lead) > 3 {
		lead = []string{b.T("peers.many", "n", len(lead))}
	}
	by := cmp.Or(asked.By, peer.Euclidean)
	if asked.List != nil {
		by = "list"
	}
	var names []string
	for _, c := range asked.Conditions {
		names = append(names, b.l.Code("condition", c))
	}
	why := b.T("peers." + string(by))
	if len(names) > 0 {
		why = b.T("peers.by", "why", why, "conditions", b.l.List(names), "year", b.year(asked.Year))
	}
	d.Why = append(d.Why, why)
	d.Why = append(d.Why, b.recorded())
	return b.section("peers", strings.Join(lead, " "), d), true
}

// recorded says when the choice of peers was written down, and whether that was before the
// first citizen was referred.
func (b *builder) recorded() string {
	if len(b.p.Manifest.Recorded) == 0 {
		return b.T("peers.not_recorded")
	}
	file := b.p.Manifest.Recorded[0]
	text, err := os.ReadFile(filepath.Join(b.p.Folder, filepath.FromSlash(file.Path)))
	sum := sha256.Sum256(text)
	if err != nil || hex.EncodeToString(sum[:]) != file.SHA256 {
		return b.T("peers.lost")
	}
	choices, err := jobeffekt.ParseChoices(filepath.Base(file.Path), text)
	if err != nil {
		return b.T("peers.lost")
	}
	c := choices.Latest()
	when := "peers.later"
	if from, _ := b.referred(); c.On < from {
		when = "peers.before"
	}
	return b.T("peers.recorded", "on", c.On, "role", short(c.Role), "when", b.T(when))
}

// decimal is a number of the data.
func (b *builder) decimal(x float64, digits int) string {
	if math.IsNaN(x) {
		return b.T("page.missing")
	}
	return b.l.Number(x, digits)
}

// year is a year, which has no separator.
func (b *builder) year(y int) string { return strconv.Itoa(y) }
