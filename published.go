package jobeffekt

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/jobeffekt/jobeffekt/effect"
)

// PublishedName is the file that makes a folder a publication: it holds a [Published].
const PublishedName = "publication.json"

// Published is what the folder of a publication says of itself: of which results it was made,
// how, and which files it has.
type Published struct {
	Format         int         `json:"format"` // 1
	Program        Program     `json:"program"`
	AsOf           effect.Date `json:"as_of"`
	Standing       string      `json:"standing"`
	Blinded        bool        `json:"blinded,omitempty"`
	MinCount       int64       `json:"min_count"` // counts of citizens under this are not shown
	ManifestSHA256 string      `json:"manifest_sha256"`
	Languages      []string    `json:"languages"`
	Yearly         bool        `json:"yearly,omitempty"`
	Only           []string    `json:"only,omitempty"` // parts; empty: all
	Providers      []string    `json:"providers,omitempty"`
	Municipalities []string    `json:"municipalities,omitempty"`
	// Record is the head of the record that remembers it; nil where none is kept.
	Record *RecordHead `json:"record,omitempty"`
	Files  []Source    `json:"files"` // all but this one; paths are relative to the folder
}

// ReadPublished reads what the folder of a publication says of itself; the error wraps
// [ErrManifest] where that is of another program.
func ReadPublished(folder string) (*Published, error) {
	text, err := readUpTo(filepath.Join(folder, PublishedName), MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	var p Published
	if err := json.Unmarshal(text, &p); err != nil || p.Format != 1 {
		return nil, fmt.Errorf("%w: its %s is not one this program can read", ErrManifest, PublishedName)
	}
	return &p, nil
}
