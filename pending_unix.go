//go:build !windows

package jobeffekt

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// pending is a file that does not stand under its name yet.
type pending struct{ *renameio.PendingFile }

func newPending(path string) (*pending, error) {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o600))
	return &pending{f}, err
}

func (p *pending) publish() error { return p.CloseAtomicallyReplace() }

func (p *pending) drop() error { return p.Cleanup() }
