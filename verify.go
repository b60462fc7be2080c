package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ReadSettlement reads the settlement tables of a results folder, to be
// explained.
func ReadSettlement(ctx context.Context, folder string) (*bonus.Settlement, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Blinded:
		return nil, fmt.Errorf("%w: it is of a blinded run, in which nothing was settled; its gates stand in %s.parquet", ErrManifest, TableGatePreview)
	case !slices.Contains(m.Steps, StepSettle):
		return nil, fmt.Errorf("%w: nothing was settled in it", ErrManifest)
	}
	for _, t := range resultsOf(StepSettle, false) {
		k := slices.IndexFunc(m.Results, func(r Source) bool { return r.Path == t+".parquet" })
		if k < 0 && onRequest(t) {
			continue
		}
		if err := unchanged(folder, m.Results[k]); err != nil {
			return nil, err
		}
	}
	s := &bonus.Settlement{}
	if slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == TableCarried+".parquet" }) {
		if s.Carried, err = readRows[bonus.Balance](ctx, folder, TableCarried); err != nil {
			return nil, err
		}
	}
	if s.Lines, err = readRows[bonus.Line](ctx, folder, TableSettlement); err != nil {
		return nil, err
	}
	if s.Steps, err = readRows[bonus.Step](ctx, folder, TableSteps); err != nil {
		return nil, err
	}
	if s.Gate, err = readRows[bonus.GateRow](ctx, folder, TableGate); err != nil {
		return nil, err
	}
	if s.Counts, err = readRows[bonus.Count](ctx, folder, TableCounted); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == TableDecisions+".parquet" }) {
		if s.Decisions, err = readRows[bonus.Decided](ctx, folder, TableDecisions); err != nil {
			return nil, err
		}
	}
	t, err := readTable(ctx, folder, TableEntries)
	if err != nil {
		return nil, err
	}
	if s.Entries, err = readCaseTable[bonus.Entry](t); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == TableUpkeep+".parquet" }) {
		if s.Upkeep, err = readRows[bonus.UpkeepRow](ctx, folder, TableUpkeep); err != nil {
			return nil, err
		}
	}
	if t, err = readTable(ctx, folder, TableCaseLines); err != nil {
		return nil, err
	}
	if s.Cases, err = readCaseTable[bonus.CaseLine](t); err != nil {
		return nil, err
	}
	return s, m.stands(folder)
}

// Difference is one file that Verify found other than the manifest says.
type Difference struct {
	Path string
	What string // changed, missing, or not made again with the same bytes
}

// Verify makes the results of a folder again from what its manifest names, in a
// temporary folder, and compares. It returns what differs: inputs, run file or
// terms that changed, result files that are not as written or that the manifest
// does not name, results and entries of the manifest that come out otherwise.
// Nothing in the folder is touched.
func Verify(ctx context.Context, folder string) ([]Difference, error) {
	return VerifyFrom(ctx, folder, nil)
}

// VerifyFrom is [Verify] for data that may be a URL, which open opens; see
// [Config.Open].
func VerifyFrom(ctx context.Context, folder string, open Opener) ([]Difference, error) {
	m, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	var data fs.FS
	if isURL(m.Data) {
		if data, err = open.open(ctx, m.Data); err != nil {
			return nil, err
		}
	}
	var out []Difference
	for _, s := range slices.Concat([]Source{m.RunFile}, m.Terms, m.Seals, m.Accepted, m.Recorded, m.Checksums, m.Inputs, m.Results) {
		var now Source
		var err error
		if data != nil && isURL(s.Path) {
			now, err = hashInput(data, m.Data, s.Path)
		} else {
			now, err = hashFile(filepath.Join(folder, filepath.FromSlash(s.Path)), s.Path)
		}
		switch {
		case errors.Is(err, os.ErrNotExist):
			out = append(out, Difference{s.Path, "missing"})
		case err != nil:
			return nil, err
		case now != s:
			out = append(out, Difference{s.Path, "changed since the results were written"})
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if named := slices.ContainsFunc(m.Results, func(s Source) bool { return s.Path == e.Name() }); !named && (ext == ".parquet" || ext == ".csv") {
			out = append(out, Difference{e.Name(), "not named in the manifest"})
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	c, err := LoadConfig(filepath.Join(folder, filepath.FromSlash(m.RunFile.Path)))
	if err != nil {
		return nil, err
	}
	scratch, drop, err := whole.Scratch("jobeffekt-verify")
	if err != nil {
		return nil, err
	}
	defer drop()
	temp := filepath.Join(scratch, "results")
	c = c.with(m.AsOf)
	c.Blinded = m.Blinded
	c.Open = open
	if c.Data, err = m.dataFrom(folder); err != nil {
		return nil, err
	}
	c.Out = temp
	if _, err := run(ctx, c, m.Steps); err != nil {
		return nil, err
	}
	again, err := ReadManifest(temp)
	if err != nil {
		return nil, err
	}
	for _, s := range m.Results {
		k := slices.IndexFunc(again.Results, func(r Source) bool { return r.Path == s.Path })
		if k < 0 || again.Results[k] != s {
			out = append(out, Difference{s.Path, "not made again with the same bytes"})
		}
	}
	for _, s := range again.Results {
		if !slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == s.Path }) {
			out = append(out, Difference{s.Path, "missing from the manifest"})
		}
	}
	// Paths differ with the folder; what they hold must not.
	hashes := func(list []Source) (out []string) {
		for _, s := range list {
			out = append(out, s.SHA256)
		}
		return out
	}
	same := m.Standing == again.Standing && m.Pseudonyms.text() == again.Pseudonyms.text()
	for _, lists := range [][2][]Source{{m.Terms, again.Terms}, {m.Seals, again.Seals}, {m.Accepted, again.Accepted}, {m.Recorded, again.Recorded}, {m.Inputs, again.Inputs}} {
		same = same && slices.Equal(hashes(lists[0]), hashes(lists[1]))
	}
	if !same {
		out = append(out, Difference{ManifestName, "standing, terms, seals, acceptance, recorded peers or inputs are not those of the results"})
	}
	return out, nil
}
