package jobeffekt

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// What the files beside the dataset may have, so that a damaged or hostile one fails
// instead of exhausting memory or the disk. What tables may have stands in [ingest.Limits];
// what one partial may claim, and a reduce be given, in docs/scale.md.
const (
	// MaxTextBytes is the size of the largest YAML file that is read: run file, terms, seals,
	// specs, decisions, recorded choices. It has at most MaxTextItems lines and entries, and
	// MaxTextDepth things within each other; no anchors and aliases.
	MaxTextBytes = strict.MaxBytes
	MaxTextItems = strict.MaxItems
	MaxTextDepth = strict.MaxDepth
	// MaxManifestBytes is the size of the largest manifest.json, publication.json and
	// pack.json that is read.
	MaxManifestBytes = 64 << 20
	// MaxPackBytes is how much a zipped pack may unfold to, on the disk, and MaxPackFiles how
	// many files it may have.
	MaxPackBytes = 1 << 30
	MaxPackFiles = 1000
)

// readUpTo reads a file of at most so many bytes.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than the %d bytes it may have; is it the right file?", filepath.Base(path), most)
	}
	return b, err
}
