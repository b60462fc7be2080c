package jobeffekt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Pseudonyms say that identifiers become pseudonyms as they are read, and where the key
// lies; see [ingest.PseudonymKey.Pseudonym]. One of KeyFile and KeyEnv is given.
type Pseudonyms struct {
	KeyFile string   `yaml:"key_file,omitempty" doc:"file with the key, 64 hexadecimal digits as openssl rand -hex 32 writes them, relative to the run file; for its owner alone to read"`
	KeyEnv  string   `yaml:"key_env,omitempty" doc:"variable of the environment with the key, in place of key_file"`
	Columns []string `yaml:"columns,omitempty" doc:"columns of identifiers that become pseudonyms, as the contract names them: person_id, participation_id, employer_id, id; left out: person_id"`
}

// Pseudonymised says in a manifest of which columns pseudonyms were made, and by which key:
// by its fingerprint, never the key.
type Pseudonymised struct {
	Columns []string `json:"columns"`
	Key     string   `json:"key_fingerprint"`
}

// KeyError says why there is no key of pseudonyms, and where it was looked for. It wraps
// [ingest.ErrPseudonymKey], or the error of the file, and never holds the key.
type KeyError struct {
	Place string // the file, or the variable of the environment
	Err   error
}

func (e *KeyError) Error() string { return fmt.Sprintf("pseudonyms: %s: %v", e.Place, e.Err) }

func (e *KeyError) Unwrap() error { return e.Err }

// mostKey is how long a file with a key may be.
const mostKey = 4096

// ReadPseudonymKey reads a key from a file, or from a variable of the environment: one of the
// two is named. Other than on Windows, a file that others than its owner can read is
// refused. Every error is a [KeyError].
func ReadPseudonymKey(file, env string) (*ingest.PseudonymKey, error) {
	unusable := func(place, why string) error {
		return &KeyError{place, fmt.Errorf("%w: %s", ingest.ErrPseudonymKey, why)}
	}
	if looksLikeKey(env) || looksLikeKey(filepath.Base(file)) { // which a fault of the run file would show
		return nil, unusable("where the key lies", "it is a name that is wanted, of a file or of a variable of the environment, not the key")
	}
	if env != "" {
		place := "environment variable " + env
		text, there := os.LookupEnv(env)
		if !there {
			return nil, unusable(place, "it is not set; set it to the key, 64 hexadecimal digits")
		}
		key, err := ingest.ParsePseudonymKey([]byte(text))
		if err != nil {
			return nil, &KeyError{place, err}
		}
		return key, nil
	}
	f, err := os.Open(file)
	if err != nil {
		if e := (*os.PathError)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return nil, &KeyError{file, fmt.Errorf("%w: %w; name the file with the key", ingest.ErrPseudonymKey, err)}
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, &KeyError{file, err}
	case !info.Mode().IsRegular():
		return nil, unusable(file, "it is no file; name the file with the key")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, unusable(file, fmt.Sprintf("others than its owner can read it (mode %04o); take that away by chmod 600", info.Mode().Perm()))
	case info.Size() > mostKey:
		return nil, unusable(file, "it is too long for a key; it holds 64 hexadecimal digits")
	}
	text, err := io.ReadAll(io.LimitReader(f, mostKey))
	if err != nil {
		return nil, &KeyError{file, err}
	}
	key, err := ingest.ParsePseudonymKey(text)
	if err != nil {
		return nil, &KeyError{file, err}
	}
	return key, nil
}

// check finds what makes no sense in the run file.
func (p *Pseudonyms) check(fault func(path, format string, args ...any)) {
	const at = "input.pseudonyms"
	switch {
	case p.KeyFile == "" && p.KeyEnv == "":
		fault(at, "say where the key lies: key_file or key_env")
	case p.KeyFile != "" && p.KeyEnv != "":
		fault(at, "the key lies in one place: give key_file or key_env")
	case strings.ContainsAny(p.KeyEnv, "= "):
		fault(at+".key_env", "it is the name of a variable, not the key")
	}
	all := ingest.PseudonymColumns()
	for i, c := range p.Columns {
		path := fmt.Sprintf("%s.columns[%d]", at, i)
		switch {
		case !slices.Contains(all, c):
			fault(path, "pseudonyms are made of %s, as the contract names them", strings.Join(all, ", "))
		case slices.Contains(p.Columns[:i], c):
			fault(path, "it is there twice")
		}
	}
	if p.Columns != nil && !slices.Contains(p.Columns, personColumn) {
		fault(at+".columns", "persons are told by their ids before any other: name person_id too")
	}
}

// looksLikeKey says whether a name is one that only a key has: no error may tell it.
func looksLikeKey(name string) bool {
	return len(name) >= ingest.PseudonymKeyBytes && strings.Trim(strings.ToLower(name), "0123456789abcdef\r\n") == ""
}

const personColumn = "person_id"

// columns are those of which pseudonyms are made, sorted.
func (p *Pseudonyms) columns() []string {
	if len(p.Columns) == 0 {
		return []string{personColumn}
	}
	return slices.Sorted(slices.Values(p.Columns))
}

// key reads the key.
func (c *Config) key() (*ingest.PseudonymKey, error) {
	p := c.Input.Pseudonyms
	file := p.KeyFile
	if file != "" {
		file = c.resolve(file)
	}
	return ReadPseudonymKey(file, p.KeyEnv)
}

// keyed are options with the key, where the run file asks for pseudonyms.
func (c *Config) keyed(opt ingest.Options) (ingest.Options, error) {
	p := c.Input.Pseudonyms
	if p == nil {
		return opt, nil
	}
	var err error
	opt.PseudonymColumns = p.columns()
	opt.Pseudonyms, err = c.key()
	return opt, err
}

// pseudonymised is what a manifest says of pseudonyms, nil without.
func (c *Config) pseudonymised() (*Pseudonymised, error) {
	if c.Input.Pseudonyms == nil {
		return nil, nil
	}
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	return &Pseudonymised{c.Input.Pseudonyms.columns(), key.Fingerprint()}, nil
}

// text is what tells pseudonyms from others.
func (p *Pseudonymised) text() string {
	if p == nil {
		return "none"
	}
	return fmt.Sprintf("of %s by the key %s", strings.Join(p.Columns, ", "), p.Key)
}

// Pseudonym returns what makes the pseudonyms of a column of the contract, person_id where
// none is named, as runs of the configuration do. A configuration that asks for no
// pseudonyms of the column is an error that wraps [ErrConfig], and one whose key cannot be
// had a [KeyError].
func (c *Config) Pseudonym(column string) (func(id string) string, error) {
	if column == "" {
		column = personColumn
	}
	p := c.Input.Pseudonyms
	if p == nil || !slices.Contains(p.columns(), column) {
		return nil, fmt.Errorf("%w: it asks for no pseudonyms of %s (input.pseudonyms)", ErrConfig, column)
	}
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	return func(id string) string { return key.Pseudonym(column, effect.TextID(id)).String() }, nil
}
