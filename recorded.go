package jobeffekt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/internal/plain"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// ChoicesName is the file, beside the run file, in which the choice of peers is
// recorded where the run file names no other.
const ChoicesName = "peers.choice.yaml"

// ErrPeersChanged is wrapped by the error of a run whose peers are not those that
// were recorded.
var ErrPeersChanged = errors.New("the peers are not those recorded")

// errNotRecorded says that there is no file of choices yet.
var errNotRecorded = errors.New("no choice of peers is recorded yet; record it with: jobeffekt peers RUNFILE --record")

// Choices are the file in which people record which municipalities are
// comparable. They are made by [ParseChoices].
type Choices struct {
	Choices []Choice `yaml:"choices" jsonschema:"minItems=1" doc:"what was chosen; the latest day counts, and on one day what stands last"`
}

// Choice is a choice of peers that somebody recorded: who and when, how the peers
// were chosen, and all of them.
type Choice struct {
	Name       string              `yaml:"name" json:"-" doc:"who recorded it"`
	Role       string              `yaml:"role" json:"-" doc:"in which role"`
	On         effect.Date         `yaml:"on" json:"-" doc:"day on which it was recorded"`
	By         string              `yaml:"by" json:"by" doc:"way of being close, or list"`
	Conditions []string            `yaml:"conditions,omitempty" json:"conditions,omitempty" doc:"as in the run file"`
	Year       int                 `yaml:"year,omitempty" json:"year,omitempty" doc:"as in the run file"`
	K          int                 `yaml:"k,omitempty" json:"k,omitempty" doc:"as in the run file"`
	Clusters   int                 `yaml:"clusters,omitempty" json:"clusters,omitempty" doc:"as in the run file"`
	Share      string              `yaml:"share,omitempty" json:"share,omitempty" doc:"as in the run file"`
	Expected   string              `yaml:"expected,omitempty" json:"expected,omitempty" doc:"as in the run file"`
	MinSize    float64             `yaml:"min_size,omitempty" json:"min_size,omitempty" doc:"as in the run file"`
	Exclude    []string            `yaml:"exclude,omitempty" json:"exclude,omitempty" doc:"as in the run file, sorted"`
	Areas      map[string][]string `yaml:"areas,omitempty" json:"areas,omitempty" doc:"as in the run file, sorted"`
	Peers      map[string][]string `yaml:"peers" json:"peers" doc:"municipality: [its peers], the nearest first; of a list as declared"`
	SHA256     string              `yaml:"sha256" json:"-" doc:"hash of the canonical text"`
}

// Canonical is the text that is hashed: everything but who, when and the hash, as
// JSON without blanks, municipalities in the order of their bytes.
func (c Choice) Canonical() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(c) // texts and finite numbers always encode
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Text is the entry as it stands in the file, under choices.
func (c Choice) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    role: %s\n    on: %s\n    by: %s\n", strconv.Quote(c.Name), strconv.Quote(c.Role), c.On, c.By)
	list := func(key string, names []string) {
		if len(names) > 0 {
			fmt.Fprintf(&b, "    %s: %s\n", key, quoted(names))
		}
	}
	number := func(key string, n float64) {
		if n != 0 {
			fmt.Fprintf(&b, "    %s: %s\n", key, strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	text := func(key, s string) {
		if s != "" {
			fmt.Fprintf(&b, "    %s: %s\n", key, strconv.Quote(s))
		}
	}
	dictionary := func(key string, of map[string][]string) {
		if len(of) > 0 {
			fmt.Fprintf(&b, "    %s:\n", key)
		}
		for _, m := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(&b, "      %s: %s\n", strconv.Quote(m), quoted(of[m]))
		}
	}
	list("conditions", c.Conditions)
	number("year", float64(c.Year))
	number("k", float64(c.K))
	number("clusters", float64(c.Clusters))
	text("share", c.Share)
	text("expected", c.Expected)
	number("min_size", c.MinSize)
	list("exclude", c.Exclude)
	dictionary("areas", c.Areas)
	dictionary("peers", c.Peers)
	fmt.Fprintf(&b, "    sha256: %s\n", c.SHA256)
	return b.String()
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(n)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// ParseChoices reads a file of choices; the name stands in messages. An entry
// that does not read as it did when it was recorded is a fault.
func ParseChoices(name string, src []byte) (*Choices, error) {
	c := &Choices{}
	doc, faults := strict.Decode(name, src, c)
	for i, x := range c.Choices {
		if len(faults) == 0 && sha(x.Canonical()) != x.SHA256 {
			faults.Add(doc, fmt.Sprintf("choices[%d].sha256", i), strict.Contradiction, "the choice does not read as it did when it was recorded; put the recorded text back, or record it anew")
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Latest is the choice that counts: that of the latest day, and on one day the
// one that stands last.
func (c *Choices) Latest() Choice {
	latest := c.Choices[0]
	for _, x := range c.Choices[1:] {
		if x.On >= latest.On {
			latest = x
		}
	}
	return latest
}

// choice is what would be recorded of peers, without who and when.
func (c *Config) choice(peers []peer.Peer) Choice {
	p := c.Peers
	out := Choice{
		By: string(p.by()), Conditions: p.Conditions, Year: p.Year, K: p.K, Clusters: p.Clusters, Share: p.Share, Expected: p.Expected,
		MinSize: p.MinSize, Exclude: slices.Sorted(slices.Values(p.Exclude)), Peers: map[string][]string{},
	}
	if len(c.Areas) > 0 {
		out.Areas = map[string][]string{}
	}
	for a, members := range c.Areas {
		out.Areas[a] = slices.Sorted(slices.Values(members))
	}
	for _, x := range peers {
		out.Peers[x.Municipality] = append(out.Peers[x.Municipality], x.Peer)
	}
	out.SHA256 = sha(out.Canonical())
	return out
}

// choicesFile is where the choice of peers is recorded.
func (c *Config) choicesFile() string {
	if c.Peers != nil && c.Peers.Recorded != "" {
		return c.resolve(c.Peers.Recorded)
	}
	return c.resolve(ChoicesName)
}

// latestChoice reads the latest choice from the file of choices. The
// error is errNotRecorded where there is none.
func (c *Config) latestChoice() (*Choice, error) {
	src, err := readText(c.choicesFile())
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: peers.recorded: there is no %s: %w", ErrConfig, filepath.Base(c.choicesFile()), errNotRecorded)
	case err != nil:
		return nil, fmt.Errorf("%w: peers.recorded: %w", ErrConfig, err)
	}
	all, err := ParseChoices(filepath.Base(c.choicesFile()), src)
	if err != nil {
		return nil, err
	}
	latest := all.Latest()
	return &latest, nil
}

// compareRecorded sets peers beside the latest choice that was recorded, where the
// run file names a file, and returns it. The error wraps [ErrPeersChanged] where
// they differ.
func (c *Config) compareRecorded(peers []peer.Peer) (*Choice, error) {
	if c.Peers == nil || c.Peers.Recorded == "" {
		return nil, nil
	}
	latest, err := c.latestChoice()
	if err != nil {
		return nil, err
	}
	if what := c.choice(peers).differs(*latest); what != "" {
		return nil, fmt.Errorf("%w: the choice of %s by %s (%s) in %s has %s; find out why, or record the new choice with: jobeffekt peers RUNFILE --record --name NAME --role ROLE --on DAY (the older one stays in the file)",
			ErrPeersChanged, latest.On, latest.Name, latest.Role, c.Peers.Recorded, what)
	}
	return latest, nil
}

// differs says in which declared keys and for which municipalities another choice
// is not this one; "" where it is.
func (c Choice) differs(other Choice) string {
	if c.SHA256 == other.SHA256 {
		return ""
	}
	var keys, names []string
	declared := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	declared("by", c.By == other.By)
	declared("conditions", slices.Equal(c.Conditions, other.Conditions))
	declared("year", c.Year == other.Year)
	declared("k", c.K == other.K)
	declared("clusters", c.Clusters == other.Clusters)
	declared("share", c.Share == other.Share)
	declared("expected", c.Expected == other.Expected)
	declared("min_size", c.MinSize == other.MinSize)
	declared("exclude", slices.Equal(c.Exclude, other.Exclude))
	declared("areas", maps.EqualFunc(c.Areas, other.Areas, slices.Equal))
	all := maps.Clone(c.Peers)
	maps.Copy(all, other.Peers)
	for _, m := range slices.Sorted(maps.Keys(all)) {
		if !slices.Equal(c.Peers[m], other.Peers[m]) {
			names = append(names, m)
		}
	}
	var out []string
	if len(keys) > 0 {
		out = append(out, "other values of "+strings.Join(keys, ", "))
	}
	if len(names) > 0 {
		out = append(out, "other peers for "+strings.Join(names, ", "))
	}
	return strings.Join(out, " and ")
}

// RecordPeers adds a choice of peers to the file that the run file names under
// peers.recorded, or to [ChoicesName] beside it, and returns it with the file's
// path. The day is taken as given. Earlier choices stay, and the latest counts.
func RecordPeers(c *Config, chosen *PeerChoice, name, role string, on effect.Date) (*Choice, string, error) {
	if strings.TrimSpace(name) == "" || strings.TrimSpace(role) == "" || on == effect.NoDate {
		return nil, "", fmt.Errorf("%w: a recorded choice needs a name, a role and a day", ErrConfig)
	}
	entry := c.choice(chosen.Peers)
	entry.Name, entry.Role, entry.On = name, role, on
	path := c.choicesFile()
	head := "# Which municipalities were chosen as comparable, in the order of time.\nchoices:\n"
	return &entry, path, appendEntries(path, head, entry.Text(), func(name string, src []byte) (int, error) {
		all, err := ParseChoices(name, src)
		if err != nil {
			return 0, err
		}
		return len(all.Choices), nil
	})
}

// Choice is what would be recorded of the peers, without who and when.
func (p *PeerChoice) Choice(c *Config) Choice { return c.choice(p.Peers) }

// Text shows the choice: each municipality with its peers and distances, the
// nearest first; how many stay without each condition; and what is recorded.
func (p *PeerChoice) Text(c *Config) string {
	var b strings.Builder
	now := c.choice(p.Peers)
	head := "Peers as listed in the run file"
	if now.By != string(peer.Listed) {
		head = fmt.Sprintf("Peers by %s, year %d", now.By, now.Year)
		if len(now.Conditions) > 0 {
			head += ", on " + strings.Join(now.Conditions, ", ")
		}
		head += "; the nearest first, with the distance"
	}
	b.WriteString(wrapped(head))
	w := columns(&b)
	fmt.Fprintf(w, "  municipality\tpeers\n")
	for i, inLine := 0, 0; i < len(p.Peers); i++ {
		x, last := p.Peers[i], i+1 == len(p.Peers) || p.Peers[i+1].Municipality != p.Peers[i].Municipality
		if i == 0 || p.Peers[i-1].Municipality != x.Municipality {
			fmt.Fprintf(w, "  %s\t", named(x.Municipality, p.names[x.Municipality]))
			inLine = 0
		} else if inLine == peersInLine {
			fmt.Fprint(w, "  \t")
			inLine = 0
		}
		fmt.Fprint(w, named(x.Peer, p.names[x.Peer]))
		if x.By != peer.Listed {
			fmt.Fprintf(w, " %.3g", x.Distance)
		}
		inLine++
		switch {
		case last:
			fmt.Fprintln(w)
		case inLine == peersInLine:
			fmt.Fprintln(w, ",")
		default:
			fmt.Fprint(w, ", ")
		}
	}
	w.Flush()
	p.writeStability(&b)
	bad := map[string]int{}
	for _, r := range p.Rejects {
		bad[r.Table+": "+r.Cause]++
	}
	for _, what := range slices.Sorted(maps.Keys(bad)) {
		fmt.Fprintf(&b, "Bad rows without a say: %d of %s\n", bad[what], what)
	}
	if p.Recorded == nil {
		fmt.Fprintf(&b, "Not recorded.\n")
		return plain.Lines(b.String())
	}
	if now.differs(*p.Recorded) == "" {
		fmt.Fprintf(&b, "Recorded on %s by %s (%s).\n", p.Recorded.On, p.Recorded.Name, p.Recorded.Role)
	} else {
		fmt.Fprintf(&b, "Not as recorded: the choice of %s by %s (%s) has %s.\n", p.Recorded.On, p.Recorded.Name, p.Recorded.Role, now.differs(*p.Recorded))
	}
	if c.Peers.Recorded == "" {
		fmt.Fprintf(&b, "Runs do not look at it: the run file does not name %s under peers.recorded.\n", ChoicesName)
	}
	return plain.Lines(b.String())
}

// peersInLine is how many peers stand in a line of the text.
const peersInLine = 4

// writeStability shows how many peers stay when one condition is left out.
func (p *PeerChoice) writeStability(b *strings.Builder) {
	if len(p.PeerStability) == 0 {
		return
	}
	number := map[string]int{}
	for _, x := range p.Peers {
		number[x.Municipality]++
	}
	fmt.Fprintf(b, "\nPeers that stay when they are chosen without one condition\n")
	w := columns(b)
	fmt.Fprintf(w, "  municipality\tpeers")
	for i, s := range p.PeerStability {
		if i > 0 && s.Municipality != p.PeerStability[0].Municipality {
			break
		}
		fmt.Fprintf(w, "\twithout %s", s.LeftOut)
	}
	for i, s := range p.PeerStability {
		if i == 0 || p.PeerStability[i-1].Municipality != s.Municipality {
			fmt.Fprintf(w, "\n  %s\t%d", named(s.Municipality, p.names[s.Municipality]), number[s.Municipality])
		}
		if s.Refusal != "" {
			fmt.Fprintf(w, "\t%s", words(s.Refusal))
		} else {
			fmt.Fprintf(w, "\t%.0f", s.Kept)
		}
	}
	fmt.Fprintln(w)
	w.Flush()
	fmt.Fprintln(b)
}

// recordedLine says whether the peers were recorded beforehand. "" without peers.
func (r *Result) recordedLine() string {
	switch {
	case len(r.Peers) == 0:
		return ""
	case r.Recorded == nil:
		return "The choice of peers is not recorded beforehand.\n"
	case r.Recorded.On > r.AsOf:
		return fmt.Sprintf("The peers were recorded on %s by %s (%s). That is after as_of, %s, when results could be seen already.\n", r.Recorded.On, r.Recorded.Name, r.Recorded.Role, r.AsOf)
	}
	line := fmt.Sprintf("The peers were recorded on %s by %s (%s); as_of is %s.", r.Recorded.On, r.Recorded.Name, r.Recorded.Role, r.AsOf)
	if first := r.firstWindow(); first < r.Recorded.On {
		line += fmt.Sprintf(" By then results could be seen: the cohort's first window ended on %s.", first)
	}
	return line + "\n"
}

// firstWindow is the day on which the first window of the cohort ends, the last
// day there is where none is known.
func (r *Result) firstWindow() effect.Date {
	first := effect.LastDate
	if r.Observations == nil {
		return first
	}
	for _, result := range r.Observations.Results {
		for i, end := range result.WindowEnd {
			if end != effect.NoDate && !result.Reason[i].OutsideCohort() {
				first = min(first, end)
			}
		}
	}
	return first
}

// recordedSources is the file of recorded choices, as an input of the results.
func (c *Config) recordedSources(out string) ([]Source, error) {
	if c.Peers == nil || c.Peers.Recorded == "" {
		return nil, nil
	}
	if _, err := c.latestChoice(); err != nil {
		return nil, err
	}
	return sources(out, []string{c.choicesFile()})
}
