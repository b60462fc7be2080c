package bonus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Decisions are the file of a blinded run in which people record whether its
// diagnostics may be paid on. They are made by [ParseDecisions].
type Decisions struct {
	Decisions []Decision `yaml:"decisions" jsonschema:"minItems=1" doc:"what was decided; the latest day of a role counts, and on one day what stands last"`
}

// Decision is what somebody decided on the diagnostics of a blinded run.
type Decision struct {
	Name     string      `yaml:"name" doc:"who decided"`
	Role     string      `yaml:"role" doc:"in which role"`
	On       effect.Date `yaml:"on" doc:"day of the decision"`
	Decision Answer      `yaml:"decision" doc:"accepted or refused"`
	Note     string      `yaml:"note,omitempty" doc:"why"`
	SHA256   string      `yaml:"sha256" doc:"hash of diagnostics.parquet"`
}

// Answer is accepted or refused.
type Answer string

// The answers.
const (
	Accepted Answer = "accepted"
	Refused  Answer = "refused"
)

// Names lists the answers.
func (Answer) Names() []string { return []string{string(Accepted), string(Refused)} }

// ParseDecisions reads a file of decisions; the name stands in messages. The
// error is a [*Faults].
func ParseDecisions(name string, src []byte) (*Decisions, error) {
	d := &Decisions{}
	doc, faults := strict.Decode(name, src, d)
	for i, x := range d.Decisions {
		if b, err := hex.DecodeString(x.SHA256); err != nil || len(b) != sha256.Size {
			faults.Add(doc, fmt.Sprintf("decisions[%d].sha256", i), FaultValue, "a hash is 64 digits from 0 to f")
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Text is the entry as it stands in the file, under decisions.
func (d Decision) Text() string {
	note := ""
	if d.Note != "" {
		note = "    note: " + strconv.Quote(d.Note) + "\n"
	}
	return fmt.Sprintf("  - name: %s\n    role: %s\n    on: %s\n    decision: %s\n%s    sha256: %s\n",
		strconv.Quote(d.Name), strconv.Quote(d.Role), d.On, d.Decision, note, d.SHA256)
}

// Acceptance is what a settlement knows of decisions on its diagnostics.
type Acceptance struct {
	Decisions []Decision // in the order of the file
	SHA256    string     // of the diagnostics that the figures of the settlement rest on
	// Changed says how they differ from those that were decided on, "" where that
	// is not known or they do not.
	Changed string
}

// last is the decision of a role that counts: that of the latest day, and on one
// day the one that stands last. Roles are compared without regard to case.
func (a *Acceptance) last(role string) (d Decision, ok bool) {
	for _, x := range a.Decisions {
		if strings.EqualFold(x.Role, role) && (!ok || x.On >= d.On) {
			d, ok = x, true
		}
	}
	return d, ok
}

// row judges the acceptance by a role.
func (a *Acceptance) row(role string) GateRow {
	row := GateRow{Diagnostic: GateAcceptance, Measured: math.NaN(), Threshold: math.NaN(), State: NotEvaluated}
	if a == nil {
		row.Reason = fmt.Sprintf("the run names no blinded run that the %s has decided on", role)
		return row
	}
	d, ok := a.last(role)
	switch {
	case !ok:
		row.Reason = fmt.Sprintf("the %s has decided nothing", role)
	case d.Decision != Accepted:
		row.State, row.Reason = Fail, fmt.Sprintf("refused by the %s on %s", role, d.On)
	case d.SHA256 != a.SHA256:
		row.State, row.Reason = Fail, fmt.Sprintf("the %s accepted other diagnostics on %s than there are now", role, d.On)
		if a.Changed != "" {
			row.Reason += ": " + a.Changed
		}
	default:
		row.State, row.Accepted, row.Reason = Pass, true, fmt.Sprintf("accepted by the %s on %s", role, d.On)
	}
	return row
}

// holmRow is the row of a gate for an adjusted p; NaN for a figure that is not
// in the family.
func holmRow(adjusted, confidence float64) GateRow {
	row := GateRow{Diagnostic: GateHolm, Measured: adjusted, Passes: "at_most", Threshold: effect.Round(1 - confidence), State: Fail}
	switch {
	case math.IsNaN(adjusted):
		row.State, row.Reason = NotEvaluated, "the cell is not rated, and so not among those judged together"
	case adjusted <= row.Threshold:
		row.State, row.Accepted = Pass, true
	}
	return row
}

// Blinded are the gates of the settlement as far as they can be judged before
// the effects are seen: Holm and the acceptance are not.
func (s *Settlement) Blinded() []GateRow {
	out := []GateRow{}
	for _, row := range s.Gate {
		if row.Diagnostic == GateHolm || row.Diagnostic == GateAcceptance {
			row.Measured, row.State, row.Accepted, row.Reason = math.NaN(), NotEvaluated, false, "blinded"
		}
		out = append(out, row)
	}
	return out
}
