package command

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// What the planted identifiers begin with, by what docs/privacy.md calls them.
var planted = map[string]string{"person": "persmark", "case": "casemark", "document": "billmark", "employer": "emplmark"}

// privacyDoc is the page that says which files may hold which identifiers.
const privacyDoc = "../../../docs/privacy.md"

// mayHold reads from the page which identifiers a file may hold: by pattern of its path, the
// first that fits.
func mayHold(t *testing.T, page string) func(file string) []string {
	t.Helper()
	_, section, ok := strings.Cut(page, "## Where identifiers may stand\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	type rule struct {
		pattern string
		kinds   []string
	}
	var rules []rule
	for _, line := range strings.Split(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		for _, pattern := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			var kinds []string
			for _, k := range strings.Split(cells[2], ",") {
				k = strings.TrimSpace(k)
				require.Contains(t, planted, k, line)
				kinds = append(kinds, k)
			}
			rules = append(rules, rule{pattern[1], kinds})
		}
	}
	require.NotEmpty(t, rules)
	return func(file string) []string {
		for _, r := range rules {
			if ok, err := path.Match(r.pattern, file); ok && err == nil {
				return r.kinds
			}
		}
		return nil
	}
}

// holds are the kinds of identifiers in bytes, and in what is packed or encoded in them.
func holds(t *testing.T, name string, b []byte) []string {
	t.Helper()
	found := map[string]bool{}
	look := func(text []byte) {
		text = bytes.ToLower(text)
		for kind, mark := range planted {
			if bytes.Contains(text, []byte(mark)) {
				found[kind] = true
			}
		}
	}
	look(b)
	switch {
	case bytes.HasPrefix(b, []byte("PAR1")):
		file := filepath.Join(t.TempDir(), "x.parquet")
		require.NoError(t, os.WriteFile(file, b, 0o600))
		limits := ingest.DefaultLimits()
		limits.TextBytes = 1 << 20 // also in what was made too long
		tab, err := ingest.ReadFile(context.Background(), file, limits)
		require.NoError(t, err, name)
		for _, c := range tab.Columns {
			look([]byte(c.Name + " " + c.Doc))
			for _, v := range c.Texts {
				look([]byte(v))
			}
			if c.Factor != nil {
				look([]byte(strings.Join(c.Factor.Levels, "\n")))
			}
		}
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err, name)
		for _, f := range z.File {
			look([]byte(f.Name))
			r, err := f.Open()
			require.NoError(t, err)
			inner, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			for _, kind := range holds(t, name+"!"+f.Name, inner) {
				found[kind] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// plant gives a dataset ids that are known again wherever they are written.
func plant(t *testing.T, from, to string, prefix map[string]string) {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(from, "*"))
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join(from, "*", "*.parquet"))
	require.NoError(t, err)
	for _, file := range append(entries, more...) {
		if filepath.Ext(file) != ".parquet" {
			continue
		}
		tab, err := ingest.ReadFile(context.Background(), file, ingest.DefaultLimits())
		require.NoError(t, err)
		for k := range tab.Columns {
			c := &tab.Columns[k]
			if mark := prefix[c.Name]; mark != "" && c.Ints != nil {
				texts := make([]string, len(c.Ints))
				for i, v := range c.Ints {
					texts[i] = fmt.Sprintf("%s%06d", mark, v)
				}
				c.Ints, c.Texts = nil, texts
			}
		}
		rel, err := filepath.Rel(from, file)
		require.NoError(t, err)
		save(t, filepath.Join(to, rel), tab)
	}
}

func save(t *testing.T, file string, tab *ingest.Table) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	var b bytes.Buffer
	require.NoError(t, tab.WriteParquet(&b))
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
}

// session runs commands in a folder, and looks at all that they wrote.
type session struct {
	t     *testing.T
	said  map[string]string // what each wrote to stdout and stderr, by its line
	order []string
}

func (s *session) run(code int, line string) string {
	s.t.Helper()
	var out, log bytes.Buffer
	args := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1)
	for i := range args {
		args[i] = strings.Trim(args[i], "'")
	}
	got := execute(context.Background(), args, &out, &log)
	require.Equal(s.t, code, got, "%s\n%s\n%s", line, out.String(), log.String())
	if _, there := s.said[line]; there {
		line += fmt.Sprintf(" (%d)", len(s.order))
	}
	s.said[line] = out.String() + "\n" + log.String()
	s.order = append(s.order, line)
	return out.String()
}

// Identifiers of persons, cases, documents and employers are planted in a whole dataset. Every
// command is done, on good and on broken input, and every byte that was written is searched.
// What docs/privacy.md does not allow to be somewhere is not there. Nor is any file or
// folder for others than its owner, whatever the umask.
func TestNoIdentifierGetsOut(t *testing.T) {
	page := fileText(t, privacyDoc)
	archive, err := txtar.ParseFile(filepath.Join("testdata", "script", "ledger.txtar"))
	require.NoError(t, err)
	work := t.TempDir()
	t.Chdir(work)
	temp := filepath.Join(work, "tmp")
	require.NoError(t, os.Mkdir(temp, 0o700))
	t.Setenv("TMPDIR", temp)
	restore := openUmask()
	defer restore()

	given := map[string]string{}
	for _, f := range archive.Files {
		given[f.Name] = string(f.Data)
	}
	runFile := strings.Replace(given["jobeffekt.yaml"], "terms: [terms.yaml]", "formats: [csv]\nterms: [terms.yaml]", 1)
	runFile = strings.Replace(runFile, "as_of: 2008-06-30", "as_of: 2009-12-31", 1)
	runFile = strings.Replace(runFile, "cohort: {period: 2008}", `cohort: {period: 2008, municipalities: ["751"]}`, 1)
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o600)) }
	write("terms.yaml", given["terms.yaml"])
	write("jobeffekt.yaml", runFile)

	s := &session{t: t, said: map[string]string{}}
	s.run(0, "synth synthetic --world demo")
	marks := map[string]string{"person_id": "persmark", "participation_id": "casemark", "employer_id": "emplmark"}
	plant(t, "synthetic", "data", marks)
	days := []effect.Date{}
	for _, d := range []string{"2008-05-01", "2008-08-01"} {
		day, err := effect.ParseDate(d)
		require.NoError(t, err)
		days = append(days, day)
	}
	cases, err := ingest.ReadFile(context.Background(), firstOf(t, "data", "participations"), ingest.DefaultLimits())
	require.NoError(t, err)
	one := cases.Column("participation_id").Factor.Levels[0]
	save(t, "data/evidence.parquet", &ingest.Table{Name: "evidence", Columns: []ingest.Column{
		{Name: "participation_id", Texts: []string{one, "casemark999999"}}, {Name: "kind", Texts: []string{"contract", "contract"}}, {Name: "received_on", Dates: days},
	}})
	bills := func(name string) *ingest.Table {
		return &ingest.Table{Name: name, Columns: []ingest.Column{
			{Name: "id", Texts: []string{"billmark1", "billmark2"}},
			{Name: "agreement_id", Texts: []string{"A-751", "A-751"}},
			{Name: "provider_id", Texts: []string{"L751-2", "L751-2"}},
			{Name: "period", Texts: []string{"2008H1", "2008H1"}},
			{Name: "date", Dates: days},
			{Name: "amount_dkk", Floats: []float64{100, 200}},
		}}
	}
	save(t, "data/invoices.parquet", bills("invoices"))
	save(t, "data/payments.parquet", bills("payments"))

	who := " --name 'N. N.' --role 'head of finance'"
	s.run(0, "seal terms.yaml --on 2007-12-14"+who)
	s.run(0, "init data --out begun")
	s.run(0, "check jobeffekt.yaml")
	s.run(0, "run jobeffekt.yaml --dry-run")
	s.run(0, "run jobeffekt.yaml --log json --timings --metrics night.prom --ledger ledger.db")
	s.run(0, "run jobeffekt.yaml --quiet --out again")
	for _, step := range []string{"measure", "estimate", "benchmark", "settle"} {
		s.run(0, step+" jobeffekt.yaml --timings --out steps")
	}
	s.run(0, "run jobeffekt.yaml --blinded --out blinded")
	s.run(0, "accept blinded --on 2010-07-15 --decision accepted"+who)
	s.run(0, "verify results")
	s.run(0, "compare results again --out changes.csv")
	s.run(0, "report results --out publication --lang da,en --yearly")
	s.run(0, "explain results")
	settled, err := ingest.ReadFile(context.Background(), "results/settlement_cases.parquet", ingest.DefaultLimits())
	require.NoError(t, err)
	one = settled.Column("participation_id").Factor.Levels[0]
	s.run(0, "explain results --case "+one)
	s.run(0, "explain results --provider L751-2 --pack pack.zip")
	s.run(0, "verify --pack pack.zip")
	s.run(0, "reconcile results --documents --out look-at.csv")
	s.run(0, "reconcile results --sample 3 --seed 1 --out controlled.csv")
	s.run(0, "simulate jobeffekt.yaml --draws 20 --seed 3 --out simulated")
	s.run(0, "map jobeffekt.yaml --list")
	for i, file := range partsOf(t, "data", "spells") {
		s.run(0, fmt.Sprintf("map jobeffekt.yaml --part %s --to %d.partial", file, i))
	}
	s.run(0, "reduce jobeffekt.yaml 0.partial --to joined.partial")
	s.run(0, "reduce jobeffekt.yaml "+strings.Join(globbed(t, "[0-9].partial"), " ")+" --out reduced")
	s.run(0, "arrange jobeffekt.yaml --out arranged")
	s.run(0, "schema run")
	s.run(0, "man pages")
	s.run(0, "completion bash")
	s.run(0, "help explain")
	s.run(0, "__complete explain results A-")
	s.run(0, "__complete explain results --case case")
	s.run(0, "__complete ledger erase ledger.db --case case")

	proposed := s.run(0, "ledger propose results --ledger ledger.db --period 2008H1 --name 'P. P.' --role caseworker --on 2010-01-10")
	hash := regexp.MustCompile(`[0-9a-f]{64}`).FindString(proposed)
	require.NotEmpty(t, hash, proposed)
	s.run(0, "ledger book results --ledger ledger.db --period 2008H1 --accept "+hash+" --name 'C. C.' --role controller --on 2010-01-12")
	for _, what := range []string{"lines", "cases", "accounts", "bookings"} {
		s.run(0, "ledger show ledger.db --what "+what)
		s.run(0, "ledger show ledger.db --what "+what+" --out booked-"+what+".csv")
	}
	s.run(0, "ledger runs ledger.db")
	s.run(0, "ledger verify ledger.db")

	// Under pseudonyms.
	write("key", strings.Repeat("9a", 31)+"00\n")
	write("pseudo.yaml", strings.Replace(runFile, "input: {", "input: {pseudonyms: {key_file: key, columns: [person_id, participation_id, employer_id, id]}, ", 1))
	s.run(0, "run pseudo.yaml --out pseudo")
	s.run(0, "verify pseudo")
	s.run(0, "report pseudo --out pseudo-publication")
	s.run(0, "explain pseudo --provider L751-2 --pack pseudo-pack.zip")
	s.run(0, "reconcile pseudo --documents --out pseudo-look-at.csv")
	for i, file := range partsOf(t, "data", "spells") {
		s.run(0, fmt.Sprintf("map pseudo.yaml --part %s --to pseudo-%d.partial", file, i))
	}
	s.run(0, "reduce pseudo.yaml "+strings.Join(globbed(t, "pseudo-[0-9].partial"), " ")+" --out pseudo-reduced")
	write("persons.yaml", strings.Replace(runFile, "input: {", "input: {pseudonyms: {key_file: key}, ", 1))
	s.run(0, "arrange persons.yaml --out pseudo-arranged")
	s.run(0, "run persons.yaml --data pseudo-arranged --out pseudo-from-arranged")

	// Broken input, each in one way.
	broken := func(name string, change func(table string, tab *ingest.Table)) {
		for _, table := range []string{"participations", "spells", "persons"} {
			for i, file := range partsOf(t, "data", table) {
				tab, err := ingest.ReadFile(context.Background(), filepath.Join("data", filepath.FromSlash(file)), ingest.DefaultLimits())
				require.NoError(t, err)
				change(table, tab)
				save(t, filepath.Join("data-"+name, table, fmt.Sprintf("%d.parquet", i)), tab)
			}
		}
	}
	column := func(table, name string, texts func(i int, was string) string) func(string, *ingest.Table) {
		return func(of string, tab *ingest.Table) {
			if of != table {
				return
			}
			c := tab.Column(name)
			list := make([]string, tab.Rows())
			for i := range list {
				if c.Factor != nil {
					list[i] = c.Factor.At(i)
				}
				list[i] = texts(i, list[i])
			}
			*c = ingest.Column{Name: c.Name, Texts: list}
		}
	}
	fixed := func(value string) func(int, string) string { return func(int, string) string { return value } }
	broken("twice", column("participations", "participation_id", fixed("casemark1")))
	broken("dates", column("spells", "start_date", func(i int, _ string) string { return "persmark-date" }))
	broken("states", column("spells", "state", func(i int, _ string) string { return fmt.Sprintf("persmark%06d", i) }))
	broken("cpr", column("persons", "person_id", func(i int, _ string) string { return fmt.Sprintf("%02d%02d%02d-%04d", 1+i%28, 1+i%12, i%100, i%4000) }))
	broken("digits", func(table string, tab *ingest.Table) { // as a register has them, in no order
		column(table, "person_id", func(i int, _ string) string {
			day := i * 7919 % 336
			return fmt.Sprintf("%02d%02d%02d%04d", 1+day%28, 1+day/28, i%100, i%4000)
		})(table, tab)
	})
	broken("long", column("participations", "participation_id", func(i int, was string) string {
		if i%10 == 0 {
			return strings.Repeat(was, 8000)
		}
		return was
	}))
	for _, name := range []string{"twice", "dates", "states", "cpr", "digits", "long"} {
		write("broken.yaml", strings.Replace(runFile, "data: data\n", "data: data-"+name+"\n", 1))
		for _, command := range []string{"run broken.yaml --log json --metrics broken.prom --out broken-" + name, "run broken.yaml --dry-run", "measure broken.yaml --out broken-" + name, "init data-" + name + " --out begun-" + name, "arrange broken.yaml --out arranged-" + name} {
			var out, log bytes.Buffer
			code := execute(context.Background(), strings.Fields(command), &out, &log)
			if strings.HasPrefix(command, "run broken.yaml --log") {
				assert.NotZero(t, code, name)
			}
			s.said[command+" of "+name] = out.String() + log.String()
		}
	}
	require.NoError(t, os.MkdirAll("data-cut/spells", 0o700))
	for _, table := range []string{"participations", "spells"} {
		b, err := os.ReadFile(firstOf(t, "data", table))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("data-cut/"+table, 0o700))
		require.NoError(t, os.WriteFile("data-cut/"+table+"/0.parquet", append(b[:len(b)/2:len(b)/2], b[len(b)/2+40:]...), 0o600))
	}
	write("broken.yaml", strings.Replace(runFile, "data: data\n", "data: data-cut\n", 1))
	s.run(1, "run broken.yaml --log json")
	s.run(1, "explain results --case casemark999999999")
	s.run(1, "ledger erase ledger.db --case casemark777 --on 2010-02-01"+who)
	s.run(2, "explain results --caze "+one)
	write("ids.csv", "y;x\npersmark000001;persmark000002\n")
	s.run(1, "rank ids.csv --municipality x --observed y --expected y --better low --out ranked.csv")
	s.run(1, "before-after ids.csv --unit x --period y --outcome y --since x")
	write("panel.csv", "x")
	save(t, "data-panel.parquet", &ingest.Table{Name: "panel", Columns: []ingest.Column{
		{Name: "pnr", Texts: []string{"persmark1", "persmark2", "persmark2"}}, {Name: "y_0901", Ints: []int64{730, 997, 12}}, {Name: "branche_2009_01", Ints: []int64{0, 0, 0}},
	}})
	s.run(1, "dream data-panel.parquet --out dreamt")
	save(t, "data-panel.parquet", &ingest.Table{Name: "panel", Columns: []ingest.Column{
		{Name: "pnr", Texts: []string{"persmark1", "persmark2"}}, {Name: "y_0901", Ints: []int64{730, 730}}, {Name: "grad_2009_01", Floats: []float64{1, 0}},
	}})
	s.run(0, "dream data-panel.parquet --out dreamt")
	s.run(0, "dream data-panel.parquet --out pseudo-dreamt --pseudonym-key-file key")

	// Who a case was is erased: nothing of it is left in the ledger's file, and all else holds.
	erased := inLedger(t, "ledger.db")
	s.run(0, "ledger erase ledger.db --case "+erased+" --on 2010-02-01"+who)
	s.run(0, "ledger verify ledger.db")
	b, err := os.ReadFile("ledger.db")
	require.NoError(t, err)
	assert.NotContains(t, string(b), erased)
	assert.Empty(t, globbed(t, "ledger.db-*"))

	allowed := mayHold(t, page)
	used := map[string]bool{}
	looked := 0
	require.NoError(t, filepath.WalkDir(work, func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		rel, _ := filepath.Rel(work, p)
		rel = filepath.ToSlash(rel)
		info, err := d.Info()
		require.NoError(t, err)
		if rel != "." && runtime.GOOS != "windows" && !strings.HasPrefix(rel, "pages") && !strings.HasSuffix(rel, ".prom") {
			assert.Zero(t, info.Mode().Perm()&0o077, "%s is for others: %v", rel, info.Mode())
		}
		assert.Empty(t, holds(t, rel, []byte(rel)), "the name of %s", rel)
		if top, _, _ := strings.Cut(rel, "/"); d.IsDir() || strings.HasPrefix(top, "data") || rel == "ids.csv" {
			return nil // what was given
		}
		looked++
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		may := allowed(rel)
		if strings.HasPrefix(rel, "pseudo") { // whose names fit the same patterns
			may = slices.DeleteFunc(slices.Clone(may), func(kind string) bool {
				return kind == "person" || !strings.HasPrefix(rel, "pseudo-arranged/") && !strings.HasPrefix(rel, "pseudo-from-arranged/")
			})
		}
		for _, kind := range holds(t, rel, b) {
			assert.Contains(t, may, kind, "%s holds an identifier of a %s", rel, kind)
			used[rel] = true
		}
		return nil
	}))
	assert.Greater(t, looked, 300)
	assert.NotEmpty(t, used, "what is planted is found where it may be")
	assert.Empty(t, globbed(t, "tmp/*"), "temporary files are gone")
	for line, said := range s.said {
		found := holds(t, line, []byte(said))
		if strings.HasPrefix(line, "explain results --case "+one) {
			assert.Equal(t, []string{"case"}, found, "who asks for a case is shown it")
			continue
		}
		if line == "ledger show ledger.db --what cases" {
			assert.Equal(t, []string{"case"}, found, "who asks for the cases of a ledger is shown them")
			continue
		}
		assert.Empty(t, found, "%s\n%s", line, said)
	}
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return out
}

// partsOf are the files of a table, from the folder of the dataset.
func partsOf(t *testing.T, data, table string) (out []string) {
	t.Helper()
	files := append(globbed(t, filepath.Join(data, table, "*.parquet")), globbed(t, filepath.Join(data, table+".parquet"))...)
	for _, f := range files {
		rel, err := filepath.Rel(data, f)
		require.NoError(t, err)
		out = append(out, filepath.ToSlash(rel))
	}
	require.NotEmpty(t, out)
	return out
}

func firstOf(t *testing.T, data, table string) string {
	return filepath.Join(data, filepath.FromSlash(partsOf(t, data, table)[0]))
}

// inLedger is a case that a ledger knows.
func inLedger(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	id := regexp.MustCompile(`casemark[0-9]{6}`).Find(b)
	require.NotNil(t, id, "a ledger knows whom it booked")
	return string(id)
}
