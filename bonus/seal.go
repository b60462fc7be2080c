package bonus

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Seals are the signed-off file beside the terms: who said, and when, that a
// version of the terms stands. They are made by [Terms.Sealed].
type Seals struct {
	Agreement string `yaml:"agreement" doc:"agreement of the terms that are sealed"`
	Seals     []Seal `yaml:"seals" jsonschema:"minItems=1" doc:"one entry for each sealed version, or several"`

	// File is the name given to Sealed; Bytes and SHA256 are the text's length and hash.
	File   string `yaml:"-"`
	SHA256 string `yaml:"-"`
	Bytes  int64  `yaml:"-"`
}

// Seal says that a version of the terms stood on a day. It makes the version
// payable when it was given before the first referral that the version can
// apply to (see [Terms.FirstReferral]) and the version reads as it did then.
type Seal struct {
	Version effect.Date `yaml:"version" doc:"valid_from of the version that is sealed"`
	// Until is part of what is sealed, so that a version may end earlier than it
	// was to, as when a new one follows, but not later.
	Until    effect.Date `yaml:"until" doc:"first day on which the sealed version was to be in force no longer: its valid_to or the end of the agreement, whichever comes first"`
	SHA256   string      `yaml:"sha256" doc:"hash of the version's canonical text"`
	SealedOn effect.Date `yaml:"sealed_on" doc:"day on which the seal was given"`
	Name     string      `yaml:"name" doc:"who sealed"`
	Role     string      `yaml:"role" doc:"in which role"`
}

// ErrSeal is wrapped by errors about a seal that cannot be given.
var ErrSeal = errors.New("bonus: no seal")

// Sealed returns the terms with the seals of a file; the name stands in
// messages. The error is a [*Faults]. A seal that does not make its version
// payable is no fault: it becomes a warning of the settlement.
func (t *Terms) Sealed(name string, src []byte) (*Terms, error) {
	hash := sha256.Sum256(src)
	s := &Seals{File: name, SHA256: hex.EncodeToString(hash[:]), Bytes: int64(len(src))}
	doc, faults := strict.Decode(name, src, s)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if s.Agreement != t.Agreement {
		faults.Add(doc, "agreement", FaultContradiction, "the seals are of agreement %q, and the terms of %q", s.Agreement, t.Agreement)
	}
	for i, seal := range s.Seals {
		if b, err := hex.DecodeString(seal.SHA256); err != nil || len(b) != sha256.Size || strings.ToLower(seal.SHA256) != seal.SHA256 {
			faults.Add(doc, fmt.Sprintf("seals[%d].sha256", i), FaultValue, "a hash is 64 digits from 0 to f")
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	other := *t
	other.Seals, other.standings = s, nil
	for i := range t.Versions {
		other.standings = append(other.standings, other.judgeSeals(i))
	}
	return &other, nil
}

// FirstReferral is the first day on which a referral can belong to a version:
// under applies_by referral its valid_from or the start of the agreement,
// whichever is later; under applies_by period the start of the agreement,
// because what was referred long before can be reached in the version's periods.
// It is effect.NoDate for an index that no version has.
func (t *Terms) FirstReferral(version int) effect.Date {
	if !t.has(version) {
		return effect.NoDate
	}
	if t.AppliesBy == ByPeriod {
		return t.Starts
	}
	return max(t.Starts, t.Versions[version].ValidFrom)
}

// Until is the first day on which a version is in force no longer: its valid_to
// or the end of the agreement, whichever comes first. It is effect.NoDate for an
// index that no version has.
func (t *Terms) Until(version int) effect.Date {
	if !t.has(version) {
		return effect.NoDate
	}
	return min(t.Ends, t.Versions[version].end())
}

// has says whether a version has the index.
func (t *Terms) has(version int) bool { return version >= 0 && version < len(t.Versions) }

// Canonical is the text that a seal of a version hashes: everything that
// decides what the version pays, and nothing else, so that a version that is
// added later does not change it. It is JSON without blanks, keys in the order
// of their bytes, every value a text:
//
//   - the terms but for title, source, ends, upkeep and versions, and of the
//     packages those that the version names, or all where a price holds for any;
//   - under version the version but for valid_to, with the thresholds and the
//     other values that are filled in where it says nothing;
//   - under until the day given, first on which it is in force no longer.
//
// It is nil for an index that no version has.
func (t *Terms) Canonical(version int, until effect.Date) []byte {
	if !t.has(version) {
		return nil
	}
	all := canonical(reflect.ValueOf(*t)).(map[string]any)
	for _, key := range []string{"title", "source", "ends", "upkeep", "versions"} {
		delete(all, key)
	}
	v := canonical(reflect.ValueOf(t.Versions[version])).(map[string]any)
	delete(v, "valid_to")
	var packages []any
	anyPackage := t.Versions[version].anyPackage()
	for i, p := range t.Packages {
		if anyPackage || names(v, "package", p.ID) {
			packages = append(packages, all["packages"].([]any)[i])
		}
	}
	all["packages"], all["version"], all["until"] = packages, v, until.String()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(all) // maps, lists and texts always encode
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// anyPackage says whether a price of the version holds for packages that it does
// not name.
func (v *Version) anyPackage() bool {
	for i := range v.Clauses {
		s := &v.Clauses[i].Schedule
		if len(s.prices) == 0 || slices.ContainsFunc(s.prices, func(p UnitPrice) bool { return p.Package == "" }) {
			return true
		}
	}
	return false
}

// names says whether a key somewhere in a tree has a value.
func names(tree any, key, value string) bool {
	switch x := tree.(type) {
	case map[string]any:
		if x[key] == value {
			return true
		}
		for _, v := range x {
			if names(v, key, value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, func(v any) bool { return names(v, key, value) })
	}
	return false
}

// canonical is a value of the terms as maps, lists and texts, named as in the
// file. What is left out in the file is left out.
func canonical(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case Decimal:
		return exactText(x.Rat()) // 0.10 is 0.1
	case encoding.TextMarshaler:
		b, _ := x.MarshalText() // dates and amounts always have a text
		return string(b)
	}
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name == "" || name == "-" || option == "omitempty" && v.Field(i).IsZero() {
				continue
			}
			out[name] = canonical(v.Field(i))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = canonical(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = canonical(it.Value())
		}
		return out
	case reflect.String:
		return v.String()
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// Seal makes a seal of a version as it reads now. The day is taken as given:
// the library knows no clock. The error wraps [ErrSeal] where the seal would not
// make the version payable, and for an index that no version has.
func (t *Terms) Seal(version int, on effect.Date, name, role string) (Seal, error) {
	if name == "" || role == "" {
		return Seal{}, fmt.Errorf("%w: a seal needs a name and a role", ErrSeal)
	}
	if !t.has(version) {
		return Seal{}, fmt.Errorf("%w: %s", ErrSeal, t.noVersion(version))
	}
	v := &t.Versions[version]
	if first := t.FirstReferral(version); on >= first {
		return Seal{}, fmt.Errorf("%w: one dated %s comes too late for the version valid from %s, to which referrals from %s on can belong; only a new version, from a later day, can still be sealed", ErrSeal, on, v.ValidFrom, first)
	}
	until := t.Until(version)
	return Seal{Version: v.ValidFrom, Until: until, SHA256: t.hash(version, until), SealedOn: on, Name: name, Role: role}, nil
}

func (t *Terms) hash(version int, until effect.Date) string {
	h := sha256.Sum256(t.Canonical(version, until))
	return hex.EncodeToString(h[:])
}

// Text is the entry as it stands in the file, under seals.
func (s Seal) Text() string {
	return fmt.Sprintf("  - version: %s\n    until: %s\n    sha256: %s\n    sealed_on: %s\n    name: %s\n    role: %s\n",
		s.Version, s.Until, s.SHA256, s.SealedOn, strconv.Quote(s.Name), strconv.Quote(s.Role))
}

// The standings of a line. Nothing is booked, so that every line is provisional.
const (
	StandingSealed        = "provisional, sealed"
	StandingRetrospective = "provisional, retrospective"
)

// The warnings about seals: each that does not make its version payable.
const (
	WarnSealVersion = "seal_without_version"
	WarnSealTerms   = "seal_of_other_terms"
	WarnSealLate    = "seal_too_late"
)

// checkSeal says what is wrong with a seal: a code and a text, or "".
func (t *Terms) checkSeal(s *Seal) (code, why string) {
	v := slices.IndexFunc(t.Versions, func(v Version) bool { return v.ValidFrom == s.Version })
	switch {
	case v < 0:
		return WarnSealVersion, fmt.Sprintf("the seal of %s is of a version valid from %s, which the terms do not have", s.SealedOn, s.Version)
	case t.hash(v, s.Until) != s.SHA256:
		return WarnSealTerms, fmt.Sprintf("the version valid from %s does not read as it did when it was sealed on %s", s.Version, s.SealedOn)
	case t.Until(v) > s.Until:
		return WarnSealTerms, fmt.Sprintf("the version valid from %s was sealed on %s up to %s, and is now in force for longer", s.Version, s.SealedOn, s.Until)
	case s.SealedOn >= t.FirstReferral(v):
		return WarnSealLate, fmt.Sprintf("the version valid from %s was sealed on %s, not before %s, from which on referrals can belong to it", s.Version, s.SealedOn, t.FirstReferral(v))
	}
	return "", ""
}

// standing is that of a version.
type standing struct {
	sealed bool
	why    string
}

// Standing says whether a version is sealed, and since when and by whom, or why
// it is not. An index that no version has is not sealed.
func (t *Terms) Standing(version int) (sealed bool, why string) {
	switch {
	case !t.has(version):
		return false, t.noVersion(version)
	case t.Seals == nil:
		return false, "no seal lies beside the terms"
	}
	return t.standings[version].sealed, t.standings[version].why
}

func (t *Terms) noVersion(version int) string {
	return fmt.Sprintf("the terms have %s, and none with index %d", count(int64(len(t.Versions)), "version"), version)
}

// judgeSeals looks for a seal of a version that holds.
func (t *Terms) judgeSeals(version int) standing {
	valid := t.Versions[version].ValidFrom
	why := fmt.Sprintf("the version valid from %s has no seal", valid)
	for i := range t.Seals.Seals {
		s := &t.Seals.Seals[i]
		if s.Version != valid {
			continue
		}
		code, wrong := t.checkSeal(s)
		if code == "" {
			return standing{true, fmt.Sprintf("sealed on %s by the %s", s.SealedOn, s.Role)}
		}
		why = wrong
	}
	return standing{why: why}
}

// sealWarnings are the seals of the terms that do not make a version payable.
func (t *Terms) sealWarnings() (out []Warning) {
	if t.Seals == nil {
		return nil
	}
	for i := range t.Seals.Seals {
		if code, why := t.checkSeal(&t.Seals.Seals[i]); code != "" {
			cure := "put the sealed text back, or give the change a new version and seal that"
			switch code {
			case WarnSealVersion:
				cure = "correct the date in the file of seals, or take the seal out"
			case WarnSealLate:
				cure = "what it pays stays retrospective; seal a version before its first referral"
			}
			out = append(out, Warning{t.Agreement, code, why + ": " + cure})
		}
	}
	return out
}

// Standing is that of the whole settlement: retrospective where any line is, or
// where there is no line.
func (s *Settlement) Standing() string {
	if len(s.Lines) == 0 || slices.ContainsFunc(s.Lines, func(l Line) bool { return l.Standing != StandingSealed }) {
		return StandingRetrospective
	}
	return StandingSealed
}
