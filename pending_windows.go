package jobeffekt

import (
	"os"
	"path/filepath"
)

// pending is a file that does not stand under its name yet. The library used
// elsewhere does not build here.
type pending struct {
	*os.File
	path string
	done bool
}

func newPending(path string) (*pending, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	return &pending{File: f, path: path}, err
}

func (p *pending) publish() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	p.done = true
	return os.Rename(p.Name(), p.path)
}

func (p *pending) drop() error {
	if p.done {
		return nil
	}
	_ = p.Close() // it may be closed already
	return os.Remove(p.Name())
}
