package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ConvertDream turns a DREAM panel, a Parquet file or a folder of parts, into the
// table spells of a dataset's folder, as parts of some hundred thousand persons.
// The table appears whole or not at all: it is written beside its place, in a
// folder whose name begins with a dot, and moved there at the end. A folder that
// has spells already is an error that wraps [ErrNotEmpty]; the others are those of
// [dream.Convert].
func ConvertDream(ctx context.Context, panel, folder string, m *dream.Map, opt dream.Options) (_ *dream.Report, err error) {
	p, err := ingest.OpenPanel(panel, ingest.DefaultLimits())
	if err != nil {
		return nil, err
	}
	place := filepath.Join(folder, ingest.Spells)
	for _, there := range []string{place, place + ".parquet"} {
		switch _, err := os.Lstat(there); {
		case err == nil:
			return nil, fmt.Errorf("%w: %s is there already; give another folder, or remove it", ErrNotEmpty, there)
		case !errors.Is(err, os.ErrNotExist):
			return nil, fmt.Errorf("the folder of the dataset: %w; give another", err)
		}
	}
	_, before := os.Stat(folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && before != nil {
			_ = os.Remove(folder) // which was made here, and is empty again
		}
	}()
	work, err := whole.NewFolder(place)
	if err != nil {
		return nil, taken(err)
	}
	defer work.Drop() // after the move there is nothing to remove
	part := 0
	r, err := dream.Convert(ctx, p, m, opt, func(b *dream.Block) error {
		name := fmt.Sprintf("part-%05d.parquet", part)
		part++
		return writeTable(work.Path, name, b.Table())
	})
	if err == nil {
		err = p.Unchanged()
	}
	if err != nil {
		return nil, err
	}
	if err := work.Publish(false); err != nil {
		if _, there := os.Lstat(place); there == nil {
			return nil, fmt.Errorf("%w: %s was made by somebody else meanwhile; give another folder, or remove it", ErrNotEmpty, place)
		}
		return nil, err
	}
	return r, nil
}
